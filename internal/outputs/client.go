package outputs

import (
	"context"

	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/elastic-agent-libs/testing"
)

// client is what all wrappers have in common.
type client struct {
	outputs.Client
	observer *observer
}

// Test is `rtbeat test output`. Redis has none of libbeat's: connecting asks it for the password and a PING.
func (c client) Test(d testing.Driver) {
	switch inner := c.Client.(type) {
	case testing.Testable:
		inner.Test(d)
	case outputs.NetworkClient:
		d.Run(inner.String(), func(d testing.Driver) {
			d.Fatal("connect", inner.Connect(context.Background()))
			_ = inner.Close() // nothing was sent
		})
	default:
		d.Warn("output", "there is no test for this output")
	}
}

// asNetwork makes a wrapper a NetworkClient if the client in it is one: libbeat connects those, and no others.
func asNetwork(wrapper, inner outputs.Client) outputs.Client {
	if network, ok := inner.(outputs.NetworkClient); ok {
		return networkClient{wrapper, network}
	}
	return wrapper
}

type networkClient struct {
	outputs.Client
	network outputs.NetworkClient
}

func (c networkClient) Connect(ctx context.Context) error {
	return c.network.Connect(ctx)
}

func (c networkClient) Test(d testing.Driver) {
	if t, ok := c.Client.(testing.Testable); ok {
		t.Test(d)
	}
}

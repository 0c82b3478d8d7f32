// Package client names the few types of Elastic Agent's client that libbeat refers to.
package client

import (
	"context"

	"github.com/elastic/elastic-agent-client/v7/pkg/proto"
)

// AgentInfo describes the agent that a beat runs under.
type AgentInfo struct {
	ID, Version  string
	Snapshot     bool
	ManagedMode  proto.AgentManagedMode
	Unprivileged bool
}

// Action is something that an agent asks a beat to do.
type Action interface {
	Name() string
	Execute(context.Context, map[string]any) (map[string]any, error)
}

// DiagnosticHook produces a file for an agent's diagnostics.
type DiagnosticHook func() []byte

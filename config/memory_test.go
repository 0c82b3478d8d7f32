package config_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/setting"
)

const mib = 1 << 20

// The table is what test/abuse measures. The memory is GOMEMLIMIT in containers of 64, 96, 128, 256, 456, 512 and 2,048 MiB.
func TestMemoryLowersDefaults(t *testing.T) {
	for memory, want := range map[config.Memory]struct {
		inFlight, body       setting.ByteSize
		connections, entries int
	}{
		0:           {32 * mib, 16 * mib, 1024, 1 << 18},
		1:           {1.5 * mib, .75 * mib, 128, 13_107},
		44 * mib:    {1.5 * mib, .75 * mib, 128, 13_653},
		76 * mib:    {4.25 * mib, 2.125 * mib, 138, 35_498},
		108 * mib:   {7 * mib, 3.5 * mib, 224, 57_344},
		230 * mib:   {17 * mib, 8.5 * mib, 549, 140_629},
		410 * mib:   {32 * mib, 16 * mib, 1024, 1 << 18},
		461 * mib:   {32 * mib, 16 * mib, 1024, 1 << 18},
		1_843 * mib: {32 * mib, 16 * mib, 1024, 1 << 18},
	} {
		t.Run(fmt.Sprint(memory/mib), func(t *testing.T) {
			c, _, err := config.LoadWithin(sectionOf(t, "rtbeat: {}"), memory)
			require.NoError(t, err)
			require.Equal(t, want.inFlight, c.MaxInFlight)
			require.Equal(t, want.body, c.MaxBody)
			require.Equal(t, want.connections, c.MaxConnections)
			require.Equal(t, want.entries, c.Dedupe.MaxEntries)
			require.Equal(t, memory != 1, memory == 0 || memory >= config.Needs(c.MaxInFlight), "only the least does not fit")
		})
	}
}

// A value of the file stays, and decides about the others.
func TestMemoryLowersNoSetting(t *testing.T) {
	const memory = 76 * mib
	for yaml, want := range map[string][2]setting.ByteSize{
		"max_in_flight_bytes: 32MiB":                             {32 * mib, 16 * mib},
		"max_in_flight_bytes: 1MiB":                              {mib, 16 * mib}, // with the warning that it has without a limit
		"max_in_flight_bytes:":                                   {4.25 * mib, 2.125 * mib},
		"max_body_bytes: 1MiB":                                   {4.25 * mib, mib},
		"max_body_bytes: 8MiB":                                   {16 * mib, 8 * mib},
		"max_body_bytes: 64MiB":                                  {32 * mib, 64 * mib},
		"{durable.enabled: true}":                                {4.25 * mib, 2.125 * mib},
		"{durable.enabled: true, max_body_bytes: 16MiB}":         {32 * mib, 16 * mib},
		"{durable.enabled: true, max_in_flight_bytes: 33554432}": {32 * mib, 16 * mib},
	} {
		t.Run(yaml, func(t *testing.T) {
			if yaml[0] != '{' {
				yaml = "\n  " + yaml
			}
			c, _, err := config.LoadWithin(sectionOf(t, "rtbeat: "+yaml), memory)
			require.NoError(t, err)
			require.Equal(t, want, [2]setting.ByteSize{c.MaxInFlight, c.MaxBody})
		})
	}
	section := sectionOf(t, "rtbeat: {max_connections: 2000, dedupe.max_entries: 1000000}")
	usual, _, err := config.Load(section)
	require.NoError(t, err)
	c, _, err := config.LoadWithin(section, memory)
	require.NoError(t, err)
	require.Equal(t, 2000, c.MaxConnections)
	require.Equal(t, 1_000_000, c.Dedupe.MaxEntries)
	require.Equal(t, []config.Setting{
		{Key: "rtbeat.max_body_bytes", Value: "2.1 MiB"}, {Key: "rtbeat.max_in_flight_bytes", Value: "4.3 MiB"},
	}, c.Lowered(usual))
	require.Empty(t, usual.Lowered(usual))
}

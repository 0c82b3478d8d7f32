package batch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

func TestDecodingEndsWhenItIsInterrupted(t *testing.T) {
	errGone := errors.New("nobody wants it")
	many := strings.Repeat(`{"a":1},`, 100_000) + `{"a":1}`
	numbers := `[` + strings.Repeat(`1,`, 400_000) + `1]`
	for name, test := range map[string]struct {
		body  string
		lines bool
	}{
		"messages":    {body: `{"messages":[` + many + `]}`},
		"an array":    {body: `[` + many + `]`},
		"lines":       {body: strings.ReplaceAll(many, "},", "}\n"), lines: true},
		"one message": {body: `[{"a":` + numbers + `}]`},
		"ignored":     {body: `{"uuid":` + numbers + `,"messages":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			asked, after := 0, 3
			options := batch.Options{Lines: test.lines, Interrupted: func() error {
				asked++
				if asked == after {
					return errGone
				}
				return nil
			}}
			_, err := batch.Decode([]byte(test.body), options)
			require.Equal(t, errGone, err)
			require.Equal(t, after, asked)

			after = 0
			_, err = batch.Decode([]byte(test.body), options)
			require.NoError(t, err)
			require.InDelta(t, len(test.body)>>15, asked-3, float64(len(test.body)>>18), "every 32 KiB or so")
		})
	}
}

package contentcoding

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		want   Coding
	}{
		{"no field", nil, Identity},
		{"an empty field", []string{""}, Identity},
		{"white space", []string{" \t"}, Identity},
		{"empty elements", []string{",, ,", ""}, Identity},
		{"identity", []string{"identity"}, Identity},
		{"identity twice", []string{"identity, Identity"}, Identity},
		{"gzip", []string{"gzip"}, Gzip},
		{"its old name", []string{"x-gzip"}, Gzip},
		{"any case", []string{"X-GZip"}, Gzip},
		{"deflate", []string{"DEFLATE"}, Deflate},
		{"zstd", []string{"zstd"}, Zstd},
		{"white space around", []string{"\t zstd \t"}, Zstd},
		{"identity before", []string{"identity, gzip"}, Gzip},
		{"identity after", []string{"gzip,identity"}, Gzip},
		{"identity in another field", []string{"identity", "deflate"}, Deflate},
		{"empty elements beside", []string{",gzip,", ""}, Gzip},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.values)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, values := range [][]string{
		{"br"},
		{"compress"},
		{"x-deflate"},
		{"gzip;q=1"},
		{"gzip zstd"},
		{`"gzip"`},
		{"*"},
		{"\u00a0gzip"},
		{"gzip\n"},
		{"z\u017ftd"}, // folds to zstd
		{"gz\u0130p"}, // becomes gzip in lower case
		{"gzip, zstd"},
		{"gzip", "zstd"},
		{"gzip, gzip"},
		{"gzip, x-gzip"},
		{"gzip, identity, zstd"},
		{"identity, br"},
		{"gzip, br"},
		{"br", "gzip"},
	} {
		got, err := Parse(values)
		require.ErrorIs(t, err, ErrUnsupported, "%q", values)
		require.Equal(t, ErrUnsupported.Error(), err.Error(), "a fixed text")
		require.Equal(t, Identity, got)
	}
}

func TestAcceptedListsTheCodingsOfParse(t *testing.T) {
	for i, name := range strings.Split(Accepted, ",") {
		coding, err := Parse([]string{name})
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(name), coding.String())
		require.Equal(t, []Coding{Gzip, Deflate, Zstd, Identity}[i], coding)
	}
	require.Equal(t, "unknown", Coding(-1).String())
	require.Equal(t, "unknown", (Zstd + 1).String())
}

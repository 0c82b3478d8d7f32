//go:build manifests

// Package manifests checks the manifests for Kubernetes and the chart: against Kubernetes' schemas and policy, against the real
// binary, which must accept their configuration, and against each other.
package manifests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }

// repo is a path in the repository.
func repo(t testing.TB, path string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(harness.RepoRoot, path))
	require.NoError(t, err)
	return whole
}

// tool is the path of a program of scripts/tools.txt. It is built if it is missing.
func tool(t testing.TB, name string) string {
	t.Helper()
	out, said, err := command(nil, repo(t, "scripts/tool.sh"), name)
	if err != nil {
		harness.Missing(t, name+" cannot be built: "+said+": "+err.Error())
	}
	return strings.TrimSpace(out)
}

// command runs a program to its end.
func command(stdin []byte, program string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &said
	err = cmd.Run()
	return out.String(), said.String(), err
}

// object is one object of Kubernetes.
type object map[string]any

// set has the objects of one `kubectl apply`, as text and parsed.
type set struct {
	text    string
	objects []object
}

func parse(t testing.TB, text string) set {
	t.Helper()
	s := set{text: text}
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o map[string]any // not object: nested maps would be objects as well
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, s.objects)
			return s
		}
		require.NoError(t, err)
		if o != nil {
			s.objects = append(s.objects, o)
		}
	}
}

func (o object) kind() string { return text(o["kind"]) }
func (o object) name() string { return text(o.at("metadata", "name")) }

// at is the value at these keys, or nil.
func (o object) at(keys ...string) any {
	var here any = map[string]any(o)
	for _, key := range keys {
		m, ok := here.(map[string]any)
		if !ok {
			return nil
		}
		here = m[key]
	}
	return here
}

// text is the value, if it is a string.
func text(value any) string {
	s, _ := value.(string)
	return s
}

// all has the objects of a kind.
func (s set) all(kind string) []object {
	var found []object
	for _, o := range s.objects {
		if o.kind() == kind {
			found = append(found, o)
		}
	}
	return found
}

// decode converts a part of an object to a Go value. It ignores keys that the value lacks.
func decode[T any](t testing.TB, part any) T {
	t.Helper()
	out, err := yaml.Marshal(part)
	require.NoError(t, err)
	var value T
	require.NoError(t, yaml.Unmarshal(out, &value))
	return value
}

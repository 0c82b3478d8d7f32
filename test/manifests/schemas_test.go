//go:build manifests

package manifests

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/txn2/rtbeat/test/harness"
)

// The versions of the schemas for the manifests.
const (
	kubernetes = "k8s.io/kubernetes@v1.37.2"
	operator   = "github.com/prometheus-operator/prometheus-operator@v0.92.1"
)

// schemas makes a folder of JSON schemas for kubeconform, one for each kind: from Kubernetes' API description, and from the
// custom resources of the Prometheus operator. Both are Go modules.
func schemas(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	writeKubernetes(t, folder, module(t, kubernetes)+"/api/openapi-spec/swagger.json")
	crds, err := filepath.Glob(module(t, operator) + "/example/prometheus-operator-crd/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, crds)
	for _, crd := range crds {
		writeCustom(t, folder, crd)
	}
	return folder
}

// module is the folder of a Go module. It is downloaded if it is missing.
func module(t testing.TB, path string) string {
	t.Helper()
	out, said, err := command(nil, "go", "mod", "download", "-json", path)
	if err != nil {
		harness.Missing(t, path+" cannot be downloaded: "+out+said+": "+err.Error())
	}
	var m struct{ Dir string }
	require.NoError(t, json.Unmarshal([]byte(out), &m))
	return m.Dir
}

type groupVersionKind struct{ Group, Version, Kind string }

// file is the file name that kubeconform makes from -schema-location's {{.ResourceKind}}{{.KindSuffix}}.
func (g groupVersionKind) file() string {
	parts := []string{g.Kind, g.Version}
	if group, _, _ := strings.Cut(g.Group, "."); group != "" {
		parts = []string{g.Kind, group, g.Version}
	}
	return strings.ToLower(strings.Join(parts, "-")) + ".json"
}

func writeKubernetes(t testing.TB, folder, swagger string) {
	t.Helper()
	text, err := os.ReadFile(swagger)
	require.NoError(t, err)
	var api struct{ Definitions map[string]map[string]any }
	require.NoError(t, json.Unmarshal(text, &api))
	for name, definition := range api.Definitions {
		switch {
		case strings.HasSuffix(name, ".Quantity"), strings.HasSuffix(name, ".IntOrString"):
			// The description says string. The server accepts numbers as well.
			api.Definitions[name] = map[string]any{"type": []string{"string", "number"}}
		default:
			closeOpen(definition)
		}
	}
	for name, definition := range api.Definitions {
		encoded, err := json.Marshal(definition["x-kubernetes-group-version-kind"])
		require.NoError(t, err)
		var kinds []groupVersionKind
		require.NoError(t, json.Unmarshal(encoded, &kinds))
		if len(kinds) != 1 {
			continue // DeleteOptions and others are in every group
		}
		used := map[string]any{}
		collect(definition, api.Definitions, used)
		maps.Copy(used, map[string]any{name: definition})
		write(t, folder, kinds[0], map[string]any{"$ref": "#/definitions/" + name, "definitions": used})
	}
}

// collect finds all referenced definitions.
func collect(part any, all map[string]map[string]any, found map[string]any) {
	switch part := part.(type) {
	case map[string]any:
		if ref, ok := part["$ref"].(string); ok {
			name := strings.TrimPrefix(ref, "#/definitions/")
			if found[name] == nil {
				found[name] = all[name]
				collect(all[name], all, found)
			}
		}
		for _, inner := range part {
			collect(inner, all, found)
		}
	case []any:
		for _, inner := range part {
			collect(inner, all, found)
		}
	}
}

func writeCustom(t testing.TB, folder, crd string) {
	t.Helper()
	text, err := os.ReadFile(crd)
	require.NoError(t, err)
	var definition struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &definition))
	for _, v := range definition.Spec.Versions {
		schema := v.Schema.OpenAPIV3Schema
		closeOpen(schema)
		write(t, folder, groupVersionKind{definition.Spec.Group, v.Name, definition.Spec.Names.Kind}, schema)
	}
}

// closeOpen makes every object with known keys refuse other keys, so that misspelled keys are found.
func closeOpen(part any) {
	switch part := part.(type) {
	case map[string]any:
		if _, known := part["properties"].(map[string]any); known && part["additionalProperties"] == nil && part["x-kubernetes-preserve-unknown-fields"] != true {
			part["additionalProperties"] = false
		}
		if part["x-kubernetes-int-or-string"] == true {
			delete(part, "type")
		}
		for _, inner := range part {
			closeOpen(inner)
		}
	case []any:
		for _, inner := range part {
			closeOpen(inner)
		}
	}
}

func write(t testing.TB, folder string, g groupVersionKind, schema map[string]any) {
	t.Helper()
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, g.file()), text, 0o600))
}

// conform runs kubeconform and returns its findings.
func conform(t testing.TB, schemas, objects string) string {
	t.Helper()
	out, said, err := command([]byte(objects), tool(t, "kubeconform"), "-strict",
		"-schema-location", filepath.Join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json"), "-")
	if err == nil {
		require.Empty(t, out+said)
		return ""
	}
	require.NotEmpty(t, out+said, "kubeconform: %v", err)
	return out + said
}

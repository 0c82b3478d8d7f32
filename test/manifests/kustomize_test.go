//go:build manifests

package manifests

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// kustomize is the output for a folder below deploy/kubernetes.
func kustomize(t testing.TB, folder string) set {
	t.Helper()
	out, said, err := command(nil, tool(t, "kustomize"), "build", repo(t, "deploy/kubernetes/"+folder))
	require.NoError(t, err, said)
	require.Empty(t, said, "warnings of deprecated fields")
	return parse(t, out)
}

func TestKustomize(t *testing.T) {
	schemas := schemas(t)
	overlays, err := os.ReadDir(repo(t, "deploy/kubernetes/overlays"))
	require.NoError(t, err)
	require.NotEmpty(t, overlays)
	folders := []string{"base"}
	for _, overlay := range overlays {
		folders = append(folders, "overlays/"+overlay.Name())
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			s := kustomize(t, folder)
			hold(t, schemas, s)
			_, w := s.theWorkload(t)
			require.Equal(t, "ghcr.io/txn2/rtbeat:"+version(t), w.Spec.Template.Spec.Containers[0].Image)
			if w.Kind == "Deployment" {
				require.Nil(t, w.Spec.Replicas, "the overlay applied next, which lists none, would go down to one pod")
				require.Len(t, s.all("HorizontalPodAutoscaler"), 1, "nothing else keeps two pods")
			}
		})
	}
}

// page has a mark at every block: the suite cluster runs the commands, in the order of the page.
var page = &harness.Page{File: "docs/kubernetes.md"}

func TestEveryBlockIsMarked(t *testing.T) {
	page.RequireMarks(t)
	names := regexp.MustCompile(`(?m)^<!-- run: (.*) -->$`).FindAllString(file(t, page.File), -1)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(names))), len(names), "a name is a block's alone")
}

// docs/kubernetes.md recommends an overlay like this one, and any combination of components.
func TestKustomizeOverlayOfYourOwn(t *testing.T) {
	folder := repo(t, "test/manifests/testdata/overlay")
	docs := file(t, "docs/kubernetes.md")
	require.Contains(t, docs, file(t, "test/manifests/testdata/overlay/rtbeat.yml"))
	local := regexp.MustCompile(`(?m)- (?:\.\./)+(deploy/.*)$`)
	require.Contains(t, docs, local.ReplaceAllString(file(t, "test/manifests/testdata/overlay/kustomization.yaml"),
		"- https://github.com/txn2/rtbeat//$1?ref=v"+version(t)))

	out, said, err := command(nil, tool(t, "kustomize"), "build", "--load-restrictor=LoadRestrictionsNone", folder)
	require.NoError(t, err, said)
	s := parse(t, out)
	hold(t, schemas(t), s)
	_, w := s.theWorkload(t)
	config := effective(t, s, w)
	require.Equal(t, []any{"logs-1.example:5044", "logs-2.example:5044"}, config.at("output", "logstash", "hosts"), "the overlay's hosts alone")
	require.Equal(t, 8082, config.at("rtbeat", "admin", "port"), "the manifests' part stays")
	require.Equal(t, "HOME/tls/tls.crt", config.at("rtbeat", "ssl", "certificate"))
	require.Nil(t, s.all("HorizontalPodAutoscaler")[0].at("spec", "behavior", "scaleUp"), "the autoscaler scales")
	require.NotEmpty(t, s.all("NetworkPolicy"))
}

// Without the component the autoscaler keeps two pods, and leaves other numbers alone.
func TestKustomizeScalesWithTheComponentAlone(t *testing.T) {
	for folder, policy := range map[string]any{"base": "Disabled", "overlays/tls": "Disabled", "overlays/production": nil} {
		scaler := kustomize(t, folder).all("HorizontalPodAutoscaler")[0]
		for _, direction := range []string{"scaleUp", "scaleDown"} {
			require.Equal(t, policy, scaler.at("spec", "behavior", direction, "selectPolicy"), "%s of %s", direction, folder)
		}
	}
}

// In durable mode each pod keeps its disk, also when the set is scaled or deleted.
func TestKustomizeDurable(t *testing.T) {
	s := kustomize(t, "overlays/durable")
	holdDurable(t, s)
}

func holdDurable(t *testing.T, s set) {
	t.Helper()
	raw, w := s.theWorkload(t)
	require.Equal(t, "StatefulSet", w.Kind)
	require.NotNil(t, w.Spec.Replicas)
	require.Equal(t, 2, *w.Spec.Replicas)
	require.Equal(t, "data", raw.at("spec", "volumeClaimTemplates").([]any)[0].(map[string]any)["metadata"].(map[string]any)["name"])
	for _, v := range w.Spec.Template.Spec.Volumes {
		require.NotEqual(t, "data", v.Name, "an emptyDir would be lost with the pod")
	}
	require.Equal(t, "Retain", raw.at("spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"))
	require.Equal(t, "Retain", raw.at("spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"))
	require.NotNil(t, raw.at("spec", "template", "spec", "securityContext", "fsGroup"), "a new disk belongs to root")
	config := effective(t, s, w)
	require.Equal(t, true, config.at("rtbeat", "durable", "enabled"))
	require.Equal(t, "10GiB", config.at("rtbeat", "durable", "max_bytes"))
	startup := w.Spec.Template.Spec.Containers[0].Startup
	require.GreaterOrEqual(t, startup.Period*startup.Threshold, 600, "the whole queue is read at the start")
	require.Empty(t, s.all("HorizontalPodAutoscaler"))
}

// Names in other objects follow a prefix and a suffix.
func TestKustomizePrefix(t *testing.T) {
	out, said, err := command(nil, tool(t, "kustomize"), "build", repo(t, "test/manifests/testdata/prefixed"))
	require.NoError(t, err, said)
	s := parse(t, out)
	_, w := s.theWorkload(t)
	var services []any
	for _, service := range s.all("Service") {
		services = append(services, service.at("metadata", "name"))
	}
	require.ElementsMatch(t, []any{"blue-rtbeat-east", "blue-rtbeat-admin-east"}, services)
	require.Equal(t, "blue-rtbeat-admin-east", w.Spec.ServiceName)
	require.Contains(t, s.text, "name: "+s.all("ConfigMap")[0].at("metadata", "name").(string)+"\n")
}

// The rules of this package find mistakes.
func TestKustomizeMistakesAreSeen(t *testing.T) {
	schemas := schemas(t)
	text := kustomize(t, "overlays/production").text
	require.Empty(t, conform(t, schemas, text))
	for _, mistake := range []struct{ right, wrong string }{
		{"readinessProbe:", "readynessProbe:"},
		{"maxReplicas: 10", `maxReplicas: "ten"`},
		{"unhealthyPodEvictionPolicy:", "unhealthyPodsEvictionPolicy:"},
		{"jobLabel:", "joblabel:"},
		{"policyTypes:", "policyType:"},
		{"kind: Deployment\nmetadata", "kind: Deploiment\nmetadata"},
	} {
		require.Contains(t, text, mistake.right)
		require.NotEmpty(t, conform(t, schemas, strings.Replace(text, mistake.right, mistake.wrong, 1)), "%q was accepted", mistake.wrong)
	}
	for _, key := range []string{"runAsNonRoot", "seccompProfile", "allowPrivilegeEscalation", "capabilities"} {
		raw, _ := parse(t, text).theWorkload(t)
		template := raw.at("spec", "template")
		require.Empty(t, restricted(t, template))
		drop(template, key)
		require.NotEmpty(t, restricted(t, template), "without %q", key)
	}
}

// drop removes a key at every depth.
func drop(part any, key string) {
	switch part := part.(type) {
	case map[string]any:
		delete(part, key)
		for _, inner := range part {
			drop(inner, key)
		}
	case []any:
		for _, inner := range part {
			drop(inner, key)
		}
	}
}

func version(t testing.TB) string {
	t.Helper()
	return strings.TrimSpace(file(t, "VERSION"))
}

// file is the text of a file of the repository.
func file(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(repo(t, path))
	require.NoError(t, err)
	return string(text)
}

//go:build manifests

package manifests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/txn2/rtbeat/test/harness"
)

const chart = "deploy/helm/rtbeat"

// template is the chart's output for these values, in a release with the manifests' name.
func template(t testing.TB, args ...string) (s set, said string, err error) {
	t.Helper()
	out, said, err := command(nil, tool(t, "helm"), append([]string{"template", "rtbeat", repo(t, chart), "--namespace", "rtbeat"}, args...)...)
	if err != nil {
		return set{}, said, err
	}
	return parse(t, out), said, nil
}

func values(t testing.TB, name string) string {
	t.Helper()
	return repo(t, "test/manifests/testdata/values/"+name)
}

func TestChart(t *testing.T) {
	schemas := schemas(t)
	files, err := filepath.Glob(values(t, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	documented := harness.WriteRecipe(t, t.TempDir(), "my-values.yaml", page.Recipe(t, "helm-values"))
	for _, given := range append(files, repo(t, chart+"/values.yaml"), documented) {
		t.Run(filepath.Base(given), func(t *testing.T) {
			out, said, err := command(nil, tool(t, "helm"), "lint", "--strict", "--values", given, repo(t, chart))
			require.NoError(t, err, out+said)
			s, said, err := template(t, "--values", given)
			require.NoError(t, err, said)
			require.Empty(t, said)
			t.Setenv("ES_PASSWORD", "not-a-secret")
			hold(t, schemas, s)
		})
	}
}

// The chart and the manifests install the same rtbeat.
func TestChartSaysWhatTheManifestsSay(t *testing.T) {
	for folder, args := range map[string][]string{
		"base":                nil,
		"overlays/production": {"--values", values(t, "production.yaml")},
		"overlays/tls":        {"--values", values(t, "tls.yaml")},
		"overlays/durable":    {"--values", values(t, "durable.yaml")},
	} {
		t.Run(folder, func(t *testing.T) {
			byChart, said, err := template(t, args...)
			require.NoError(t, err, said)
			byManifests := kustomize(t, folder)
			require.Equal(t, configuration(t, byManifests), configuration(t, byChart))
			have, want := specs(t, byChart), specs(t, byManifests)
			if scaler := "HorizontalPodAutoscaler rtbeat"; have[scaler] == nil {
				delete(want, scaler) // it keeps two pods, and the chart lists their number
			}
			require.Equal(t, want, have)
		})
	}
}

func configuration(t testing.TB, s set) object {
	t.Helper()
	_, w := s.theWorkload(t)
	return effective(t, s, w)
}

// specs are the objects without the permitted differences: labels of the tool, the files of the configuration, and an optional
// Secret.
func specs(t testing.TB, s set) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, o := range s.objects {
		if o.kind() == "Namespace" || o.kind() == "ConfigMap" {
			continue
		}
		spec := o.at("spec")
		if o.kind() == "Deployment" || o.kind() == "StatefulSet" {
			pod, ok := o.at("spec", "template", "spec").(map[string]any)
			require.True(t, ok)
			drop(o.at("spec", "template", "metadata"), "annotations")
			if o.kind() == "Deployment" {
				delete(spec.(map[string]any), "replicas")
			}
			for _, part := range pod["containers"].([]any) {
				c := part.(map[string]any)
				delete(c, "args")
				delete(c, "env") // the base has its files in BEAT_CONFIG
				if from := yamlText(t, c["envFrom"]); strings.Contains(from, "optional: true") {
					delete(c, "envFrom")
				}
			}
			for _, part := range pod["volumes"].([]any) {
				if o := object(part.(map[string]any)); o["name"] == "config" {
					delete(o, "configMap")
				}
			}
		}
		if o.kind() == "Service" && o.at("spec", "type") == "ClusterIP" {
			drop(spec, "type") // the default
		}
		found[o.kind()+" "+o.name()] = spec
	}
	return found
}

func yamlText(t testing.TB, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestChartDurable(t *testing.T) {
	s, said, err := template(t, "--values", values(t, "durable.yaml"))
	require.NoError(t, err, said)
	holdDurable(t, s)

	s, said, err = template(t, "--values", values(t, "durable.yaml"), "--set", "durable.queue.max_size=40GiB,durable.startupTimeout=2400")
	require.NoError(t, err, said)
	_, w := s.theWorkload(t)
	require.Equal(t, "40GiB", effective(t, s, w).at("rtbeat", "durable", "max_bytes"))
	require.Equal(t, 1200, w.Spec.Template.Spec.Containers[0].Startup.Threshold)
}

// The schema refuses misspelled and impossible values before they are applied.
func TestChartRefuses(t *testing.T) {
	for why, args := range map[string][]string{
		"additional properties 'replica' not allowed":       {"--set", "replica=3"},
		"additional properties 'repo' not allowed":          {"--set", "image.repo=x"},
		"additional properties 'exisitingSecret'":           {"--set", "tls.exisitingSecret=x"},
		"got string, want integer":                          {"--set-string", "replicas=3"},
		"got string, want boolean":                          {"--set-string", "autoscaling.enabled=yes"},
		"/config/rtbeat/port":                               {"--set", "config.rtbeat.port=9000"},
		"/config/rtbeat/admin":                              {"--set", "config.rtbeat.admin.port=9000"},
		"/config/rtbeat/shutdown_timeout":                   {"--set", "config.rtbeat.shutdown_timeout=1m"},
		"'output.logstash' does not match pattern":          {"--set-json", `config={"output.logstash":{"hosts":["a:1"]}}`},
		"exactly one output, not file, logstash":            {"--set", "config.output.file.path=/tmp"},
		"/config/queue/disk":                                {"--set", "config.queue.disk.max_size=1GB"},
		"/podSecurityContext/runAsNonRoot":                  {"--set", "podSecurityContext.runAsNonRoot=false"},
		"shutdown_delay and timeout together must be less":  {"--set", "config.rtbeat.timeout=25"},
		"durable and autoscaling do not go together":        {"--set", "durable.enabled=true,autoscaling.enabled=true"},
		"at '/ingress/hosts': minItems":                     {"--set", "ingress.enabled=true"},
		"at '/image/digest': 'sha256:1' does not match":     {"--set", "image.digest=sha256:1"},
		"at '/durable/accessModes/0': value must be one of": {"--set", "durable.accessModes[0]=ReadWriteMany"},
		"/config/rtbeat/durable":                            {"--set", "config.rtbeat.durable.enabled=true"},
		"additional properties 'segment_size' not allowed":  {"--set", "durable.queue.segment_size=100MB"},
		"at '/durable/startupTimeout': minimum":             {"--set", "durable.startupTimeout=60"},
		"minReplicas must not be more than maxReplicas":     {"--set", "autoscaling.enabled=true,autoscaling.minReplicas=11"},
		"at '/fullnameOverride': 'Rtbeat_1' does not match": {"--set", "fullnameOverride=Rtbeat_1"},
		"invalid propertyName 'app.kubernetes.io/name'":     {"--set", `podLabels.app\.kubernetes\.io/name=other`},
		"invalid propertyName 'checksum/config'":            {"--set", "podAnnotations.checksum/config=mine"},
	} {
		_, said, err := template(t, args...)
		require.Error(t, err, "%v was taken", args)
		require.Contains(t, said, why, "%v", args)
	}
}

// A default removed with null closes ports, and opens none: a rule without ports would allow all ports.
func TestChartLetsOutToPortsAlone(t *testing.T) {
	for without, want := range map[string]int{"": 2, ",networkPolicy.dnsPorts=null": 1, ",networkPolicy.dnsPorts=null,networkPolicy.outputPorts=null": 0} {
		s, said, err := template(t, "--set", "networkPolicy.enabled=true"+without)
		require.NoError(t, err, said)
		rules, _ := s.all("NetworkPolicy")[0].at("spec", "egress").([]any)
		require.Len(t, rules, want)
		for _, rule := range rules {
			require.NotEmpty(t, rule.(map[string]any)["ports"], without)
		}
	}
}

// OpenShift's groups are large numbers. YAML must not have them as 1.00065e+09, and podSecurityContext overrides them.
func TestChartGroup(t *testing.T) {
	for _, given := range []string{"durable: {enabled: true, fsGroup: 1000650000}", "{durable: {enabled: true}, podSecurityContext: {fsGroup: 1000650000}}"} {
		path := filepath.Join(t.TempDir(), "values.yaml")
		require.NoError(t, os.WriteFile(path, []byte(given), 0o600))
		s, said, err := template(t, "--values", path)
		require.NoError(t, err, said)
		o, _ := s.theWorkload(t)
		require.Equal(t, 1000650000, o.at("spec", "template", "spec", "securityContext", "fsGroup"), given)
	}
}

// Version, image, schema and README agree with the rest of the repository.
func TestChartAgreesWithItself(t *testing.T) {
	var about struct {
		Version    string
		AppVersion string `yaml:"appVersion"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(file(t, chart+"/Chart.yaml")), &about))
	require.Equal(t, version(t), about.AppVersion)

	var defaults map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(file(t, chart+"/values.yaml")), &defaults))
	var schema struct{ Properties map[string]any }
	require.NoError(t, json.Unmarshal([]byte(file(t, chart+"/values.schema.json")), &schema))
	readme := file(t, chart+"/README.md")
	delete(schema.Properties, "global") // helm's own
	for key := range schema.Properties {
		require.Contains(t, defaults, key, "in values.schema.json, not in values.yaml")
		require.Contains(t, readme, "`"+key, "not in README.md")
	}
	for key := range defaults {
		require.Contains(t, schema.Properties, key, "in values.yaml, not in values.schema.json")
	}
}

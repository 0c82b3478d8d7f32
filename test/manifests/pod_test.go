//go:build manifests

package manifests

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/txn2/rtbeat/test/harness"
)

// workload has the fields of a Deployment or a StatefulSet that the tests read.
type workload struct {
	Kind string
	Spec struct {
		Replicas    *int
		ServiceName string `yaml:"serviceName"`
		Selector    struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     podSpec
		}
	}
}

type podSpec struct {
	Automount      *bool `yaml:"automountServiceAccountToken"`
	ServiceLinks   *bool `yaml:"enableServiceLinks"`
	Grace          int   `yaml:"terminationGracePeriodSeconds"`
	Containers     []container
	Volumes        []volume
	ServiceAccount string `yaml:"serviceAccountName"`
}

type container struct {
	Image string
	Args  []string
	Env   []struct{ Name, Value string }
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Lifecycle any
	Startup   probe `yaml:"startupProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Security  struct {
		ReadOnly bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
	Resources struct{ Requests, Limits map[string]string }
	Mounts    []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet   struct{ Path, Port string } `yaml:"httpGet"`
	Period    int                         `yaml:"periodSeconds"`
	Threshold int                         `yaml:"failureThreshold"`
}

type volume struct {
	Name      string
	ConfigMap *struct{ Name string } `yaml:"configMap"`
	Secret    *struct {
		SecretName string `yaml:"secretName"`
	}
}

// theWorkload is the workload that runs rtbeat.
func (s set) theWorkload(t testing.TB) (object, workload) {
	t.Helper()
	found := append(s.all("Deployment"), s.all("StatefulSet")...)
	require.Len(t, found, 1)
	w := decode[workload](t, found[0])
	require.Len(t, w.Spec.Template.Spec.Containers, 1)
	return found[0], w
}

// restricted has the violations of Kubernetes' restricted profile, in its own words.
func restricted(t testing.TB, templates ...any) string {
	t.Helper()
	binary := repo(t, "build/podsecurity")
	if _, err := os.Stat(binary); err != nil {
		harness.Missing(t, "scripts/manifests.sh builds build/podsecurity"+": "+err.Error())
	}
	var in []byte
	for _, template := range templates {
		text, err := json.Marshal(template)
		require.NoError(t, err)
		in = append(in, text...)
	}
	out, said, err := command(in, binary)
	require.NoError(t, err, said)
	return out
}

// arguments are the container's arguments. It sets the variable that names the configuration files, and makes those files as the pod
// has them: below home, with the files of the ConfigMap, and with a certificate for the Secret.
func arguments(t testing.TB, s set, w workload) (home string, args []string) {
	t.Helper()
	home = t.TempDir()
	pod := w.Spec.Template.Spec
	certificates := filepath.Join(home, "tls")
	for _, v := range pod.Volumes {
		switch {
		case v.ConfigMap != nil:
			for name, content := range configMap(t, s, v.ConfigMap.Name) {
				content = strings.ReplaceAll(content, "/etc/rtbeat-tls", certificates)
				require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(content), 0o600))
			}
		case v.Secret != nil:
			writeCertificate(t, certificates)
		}
	}
	t.Setenv("BEAT_CONFIG", "") // the image's default, without a variable
	for _, variable := range pod.Containers[0].Env {
		t.Setenv(variable.Name, variable.Value)
	}
	return home, pod.Containers[0].Args
}

// configMap is the ConfigMap that the pod mounts. Its name must match.
func configMap(t testing.TB, s set, name string) map[string]string {
	t.Helper()
	for _, o := range s.all("ConfigMap") {
		if o.name() == name {
			return decode[map[string]string](t, o.at("data"))
		}
	}
	require.FailNow(t, "no such ConfigMap", name)
	return nil
}

// effective is the configuration as the real binary merges it. The binary must accept it first.
func effective(t testing.TB, s set, w workload) object {
	t.Helper()
	t.Setenv("RTBEAT_TOKEN", "not-a-secret")
	home, args := arguments(t, s, w)
	checked := harness.Command(t, home, "", append([]string{"test", "config"}, args...)...)
	require.Zero(t, checked.Code, "rtbeat refuses this configuration:\n%s%s", checked.Stdout, checked.Stderr)
	exported := harness.Command(t, home, "", append([]string{"export", "config"}, args...)...)
	require.Zero(t, exported.Code, exported.Stderr)
	var config map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(strings.ReplaceAll(exported.Stdout, home, "HOME")), &config))
	delete(config, "path") // of the test
	return config
}

// writeCertificate writes tls.crt and tls.key to a folder.
func writeCertificate(t testing.TB, folder string) {
	t.Helper()
	certificate, key := harness.InPEM(t, harness.NewAuthority(t).Issue(t, harness.CertificateFor("rtbeat")))
	require.NoError(t, os.MkdirAll(folder, 0o700))
	harness.WriteRecipe(t, folder, "tls.crt", certificate)
	harness.WriteRecipe(t, folder, "tls.key", key)
}

// selects says whether a selector's labels are among the pods' labels.
func selects(selector any, labels map[string]string) bool {
	m, ok := selector.(map[string]any)
	if !ok || len(m) == 0 {
		return false
	}
	for key, value := range m {
		if labels[key] != text(value) {
			return false
		}
	}
	return true
}

// portNames are the names of the container's ports.
func (c container) portNames() []string {
	names := map[string]bool{}
	for _, p := range c.Ports {
		names[p.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func (c container) port(name string) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

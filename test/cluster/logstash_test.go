//go:build cluster

package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Logstash that is a pod, in place of the test's sink.
const logstashPod = `
apiVersion: v1
kind: Service
metadata: {name: logstash}
spec:
  selector: {app: logstash}
  ports: [{port: 5044}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: logstash}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: logstash}}
  template:
    metadata: {labels: {app: logstash}}
    spec:
      terminationGracePeriodSeconds: 2
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: sink
          image: IMAGE
          args: [sink, --listen, "0.0.0.0:5044"]
          readinessProbe: {tcpSocket: {port: 5044}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// rtbeat connects to the Service while it still leads to the pod that is gone.
func TestLogstashPodIsReplaced(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	s := install(t, "logstash", "", "base")
	name, err := image()
	require.NoError(t, err)
	s.must("", "delete", "endpointslice", "logstash-1")
	s.must(strings.Replace(logstashPod, "IMAGE", name, 1), "apply", "-f", "-")
	s.must("", "rollout", "status", "deployment/logstash", "--timeout=60s")
	f := send(t, nil, s.url(), 8, 8)
	f.awaitBatches(200)
	for range 3 {
		s.must("", "delete", "pod", "--selector", "app=logstash", "--grace-period=0", "--force")
		s.must("", "rollout", "status", "deployment/logstash", "--timeout=60s")
		time.Sleep(settle)
		f.awaitBatches(200)
	}
	f.stop()
	f.wait.Wait()
	t.Logf("RESULT | Logstash pod replaced three times | failed attempts: %v | longest wait %s", f.failures(), f.longest.Round(10*time.Millisecond))
	require.Less(t, f.longest, 12*time.Second, "the longest wait for a 200")
}

//go:build cluster

package cluster

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

// Addresses of the cluster. Senders have addresses of senderNet.
const (
	controlIP = "10.200.0.1"
	senderNet = "10.200.1."
	senders   = 32
	logstash  = controlIP + ":5044"
)

// programs is the folder with Kubernetes' programs.
var programs string

// cluster is the running one.
var cluster struct {
	work  string
	nodes []*node
	// proxies are the processes of kube-proxy: one for each node, and one for the test.
	proxies []*exec.Cmd
}

// start makes the network, the control plane and the nodes, and returns when the nodes are ready. The images and the control plane are
// made at the same time: each takes about as long as the other.
func start(work string) (err error) {
	began := time.Now()
	if programs, err = filepath.Abs(filepath.Join(harness.RepoRoot, "build", "kubernetes")); err != nil {
		return err
	}
	cluster.work = work
	if err := writeFiles(work); err != nil {
		return err
	}
	if err := network(); err != nil {
		return err
	}
	for n := 1; n <= 2; n++ {
		node, err := newNode(work, n)
		if err != nil {
			return err
		}
		cluster.nodes = append(cluster.nodes, node)
	}
	images := make(chan error, 1)
	go func() { images <- buildImages() }()
	if err := errors.Join(controlPlane(), <-images); err != nil {
		return err
	}
	var wait sync.WaitGroup
	failed := make([]error, len(cluster.nodes))
	for i, n := range cluster.nodes {
		wait.Go(func() { failed[i] = n.start() })
	}
	wait.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if err := startProxies("iptables"); err != nil {
		return err
	}
	_, err = kubectl("", "wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
	fmt.Fprintf(os.Stderr, "the cluster is ready after %s\n", time.Since(began).Round(time.Second))
	return err
}

// network makes the bridge between control plane and nodes, with the senders' addresses.
func network() error {
	steps := []string{
		"ip link set lo up", "ip link add nodes type bridge", "ip addr add " + controlIP + "/16 dev nodes", "ip link set nodes up",
	}
	for n := 1; n <= senders; n++ {
		steps = append(steps, fmt.Sprintf("ip addr add %s%d/32 dev nodes", senderNet, n))
	}
	for n := 1; n <= 2; n++ {
		steps = append(steps, fmt.Sprintf("ip route add %s via %s", podNet(n), nodeIP(n)))
	}
	// Without a default route the kernel has no source address for a Service.
	steps = append(steps, "ip route add default dev nodes")
	for _, step := range steps {
		if _, err := output(strings.Fields(step)...); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
}

// controlPlane starts etcd, the API server, the controllers, the scheduler and CoreDNS.
func controlPlane() error {
	config := func(who string) string { return "--kubeconfig=" + file(who+".kubeconfig") }
	if _, err := daemon("etcd", "etcd", "--data-dir", file("etcd"), "--unsafe-no-fsync", "--listen-client-urls", "http://127.0.0.1:2379",
		"--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380"); err != nil {
		return err
	}
	if _, err := output("openssl", "genrsa", "-out", file("sa.key"), "2048"); err != nil {
		return err
	}
	if _, err := daemon("apiserver", program("kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379", "--bind-address="+controlIP,
		"--advertise-address="+controlIP, "--cert-dir="+file("apiserver"), "--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+file("sa.key"),
		"--service-account-signing-key-file="+file("sa.key"), "--token-auth-file="+file("tokens.csv"), "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP"); err != nil {
		return err
	}
	if err := await(time.Minute, func() error { _, err := kubectl("", "get", "--raw", "/readyz"); return err }); err != nil {
		return err
	}
	if _, err := daemon("controllers", program("kube-controller-manager"), config("controllers"),
		"--service-account-private-key-file="+file("sa.key"), "--use-service-account-credentials=true", "--leader-elect=false",
		"--bind-address=127.0.0.1", "--cert-dir="+file("controllers"), "--allocate-node-cidrs=false",
		// Sooner than Kubernetes' 15 s, as each test installs rtbeat.
		"--horizontal-pod-autoscaler-sync-period=2s",
		// Sooner than Kubernetes' 40 s and 300 s, for the test of a lost node.
		"--node-monitor-grace-period=20s"); err != nil {
		return err
	}
	if _, err := daemon("scheduler", program("kube-scheduler"), config("scheduler"), "--leader-elect=false",
		"--bind-address=127.0.0.1", "--cert-dir="+file("scheduler")); err != nil {
		return err
	}
	_, err := daemon("coredns", program("coredns"), "-conf", file("corefile"))
	return err
}

// startProxies runs kube-proxy for the test and for each node, in place of those that run. mode is iptables or nftables.
func startProxies(mode string) error {
	for _, old := range cluster.proxies {
		_ = old.Process.Kill()
		_ = old.Wait()
	}
	cluster.proxies = nil
	text, err := os.ReadFile(file("kube-proxy.yaml"))
	if err != nil {
		return err
	}
	for n := 0; n <= len(cluster.nodes); n++ {
		config := file(fmt.Sprintf("kube-proxy-%d.yaml", n))
		// The test has no Node. It uses the first one's name.
		own := strings.NewReplacer("MODE", mode, "NODE", nodeName(max(n, 1))).Replace(string(text))
		if err := os.WriteFile(config, []byte(own), 0o600); err != nil {
			return err
		}
		command := []string{program("kube-proxy"), "--config=" + config}
		if n > 0 {
			command = cluster.nodes[n-1].network(command...)
		}
		p, err := daemon(fmt.Sprintf("kube-proxy-%d", n), command...)
		if err != nil {
			return err
		}
		cluster.proxies = append(cluster.proxies, p)
	}
	return nil
}

// daemon starts a program that runs until the namespaces end. Its output is in a file of the folder logs.
func daemon(name string, command ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(cluster.work, "logs", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                               // the program has its own
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // it ends with the namespaces
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Start()
	return cmd, err
}

// output runs a command to its end, and returns what it printed.
func output(command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // its own limits bound it
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s%s", strings.Join(command, " "), err, out, &stderr)
	}
	return string(out), nil
}

// await repeats an attempt until it succeeds.
func await(within time.Duration, attempt func() error) error {
	deadline := time.Now().Add(within)
	for {
		err := attempt()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// file is the path of a file of this run.
func file(name string) string { return filepath.Join(cluster.work, name) }

func program(name string) string { return filepath.Join(programs, name) }

// dumpLogs prints the end of each program's log.
func dumpLogs(work string) {
	logs, _ := filepath.Glob(filepath.Join(work, "logs", "*.log"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(os.Stderr, "== the end of %s\n%s\n", filepath.Base(path), strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// writeFiles writes the configurations of testdata, with their addresses and paths, and a kubeconfig for each client.
func writeFiles(work string) error {
	if err := os.Mkdir(file("logs"), 0o700); err != nil {
		return err
	}
	tokens := map[string]string{
		"admin": "admin,admin,admin,system:masters", "controllers": "controllers,system:kube-controller-manager,kcm,",
		"scheduler": "scheduler,system:kube-scheduler,scheduler,", "proxy": "proxy,system:kube-proxy,proxy,",
		"node1": "node1,system:node:node1,node1,system:nodes", "node2": "node2,system:node:node2,node2,system:nodes",
	}
	files := map[string]string{"tokens.csv": strings.Join(slices.Sorted(maps.Values(tokens)), "\n") + "\n"}
	for who := range tokens {
		files[who+".kubeconfig"] = fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
 "clusters": [{"name": "c", "cluster": {"server": "https://%s:6443", "insecure-skip-tls-verify": true}}],
 "users": [{"name": "u", "user": {"token": "%s"}}],
 "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}`, controlIP, who)
	}
	for _, name := range []string{"corefile", "kube-proxy.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			return err
		}
		files[name] = strings.NewReplacer("CONTROL", controlIP, "WORK", work).Replace(string(text))
	}
	for name, text := range files {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

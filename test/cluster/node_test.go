//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// node is a machine with a kubelet, in namespaces of its own below those of the test.
type node struct {
	n      int
	folder string
	// machine is process 1 of the node. Its end is a power failure.
	machine *exec.Cmd
	pid     string
}

func nodeName(n int) string { return "node" + strconv.Itoa(n) }
func nodeIP(n int) string   { return fmt.Sprintf("10.200.0.%d", 10+n) }
func podNet(n int) string   { return fmt.Sprintf("10.244.%d.0/24", n) }

// newNode makes the namespaces of a node, and its link to the bridge.
func newNode(work string, n int) (*node, error) {
	m := &node{n: n, folder: filepath.Join(work, nodeName(n))}
	for _, folder := range []string{"lib", "log"} {
		if err := os.MkdirAll(filepath.Join(m.folder, folder), 0o755); err != nil {
			return nil, err
		}
	}
	if err := m.writeFiles(); err != nil {
		return nil, err
	}
	script, err := filepath.Abs("testdata/node.sh")
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(m.folder, "ready")
	if m.machine, err = daemon(nodeName(n), "unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc",
		"--propagation", "shared", "bash", script, m.folder, nodeName(n), ready); err != nil {
		return nil, err
	}
	if err := await(10*time.Second, func() error { _, err := os.Stat(ready); return err }); err != nil {
		return nil, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", m.machine.Process.Pid))
	if err != nil {
		return nil, err
	}
	m.pid = strings.TrimSpace(string(children))
	err = m.connect()
	return m, err
}

// connect gives the node its address, and routes to the pods of the other node.
func (m *node) connect() error {
	other := 3 - m.n
	link := m.link()
	for _, step := range []string{
		"ip link add " + link + " type veth peer name eth0 netns " + m.pid,
		"ip link set " + link + " master nodes up",
	} {
		if _, err := output(strings.Fields(step)...); err != nil {
			return err
		}
	}
	for _, step := range []string{
		"ip link set lo up", "ip addr add " + nodeIP(m.n) + "/16 dev eth0", "ip link set eth0 up",
		"ip route add default via " + controlIP, "ip route add " + podNet(other) + " via " + nodeIP(other),
	} {
		if _, err := output(m.inside(strings.Fields(step)...)...); err != nil {
			return err
		}
	}
	return nil
}

// link is the bridge's end of the node's cable.
func (m *node) link() string { return "to-" + nodeName(m.n) }

// inside is a command that runs in the node. Its working directory is /.
func (m *node) inside(command ...string) []string {
	return append([]string{"nsenter", "-t", m.pid, "-m", "-n", "-p", "-u", "-i", "--"}, command...)
}

// network is a command that runs in the node's network, as a process of the test that can be killed.
func (m *node) network(command ...string) []string {
	return append([]string{"nsenter", "-t", m.pid, "-m", "-n", "--"}, command...)
}

// start runs containerd and the kubelet.
func (m *node) start() error {
	name := nodeName(m.n)
	if _, err := daemon(name+"-containerd", m.inside("containerd", "--config", filepath.Join(m.folder, "containerd.toml"))...); err != nil {
		return err
	}
	if err := await(30*time.Second, func() error { _, err := output(m.inside("ctr", "version")...); return err }); err != nil {
		return err
	}
	for _, image := range []string{"pause", "rtbeat"} {
		if _, err := output(m.inside("ctr", "-n", "k8s.io", "images", "import", file(image+".tar"))...); err != nil {
			return err
		}
	}
	_, err := daemon(name+"-kubelet", m.inside(program("kubelet"), "--config="+filepath.Join(m.folder, "kubelet.yaml"),
		"--kubeconfig="+file(name+".kubeconfig"), "--hostname-override="+name, "--node-ip="+nodeIP(m.n), "--cert-dir=/var/lib/kubelet/pki")...)
	if err != nil {
		return err
	}
	return await(time.Minute, func() error { _, err := kubectl("", "get", "node", name); return err })
}

// writeFiles writes the node's configurations, and makes the cgroup of its pods.
func (m *node) writeFiles() error {
	group := cgroupName(cluster.work) + "/" + nodeName(m.n)
	replace := strings.NewReplacer("CONTROL", controlIP, "NODEIP", nodeIP(m.n), "PODNET", podNet(m.n), "CGROUP", "/"+group, "FOLDER", m.folder)
	for _, name := range []string{"containerd.toml", "kubelet.yaml", "cni.conflist", "resolv.conf"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			return err
		}
		path := filepath.Join(m.folder, name)
		if name == "cni.conflist" {
			path = filepath.Join(m.folder, "cni", name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(replace.Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	for _, controller := range controllers() {
		if err := os.MkdirAll(filepath.Join(controller, group), 0o755); err != nil {
			return err
		}
	}
	return nil
}

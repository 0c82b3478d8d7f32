#!/bin/sh
# Builds the programs of `make cluster` that Debian does not have: Kubernetes and CoreDNS, at the versions of
# test/cluster/kubernetes/go.mod, and Prometheus, at the version of test/cluster/prometheus/go.mod. Debian's Prometheus cannot discover
# pods. They are kept outside of the tree, in ~/.cache/rtbeat unless RTBEAT_KUBERNETES names a folder.
# The first run takes about ten minutes on two cores; later ones find everything.
set -eu
cd "$(dirname "$0")/../test/cluster/kubernetes"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
# Other versions are other folders.
sum=$(cat go.mod coredns/main.go ../prometheus/go.mod | cksum | cut -d ' ' -f 1)
folder=${RTBEAT_KUBERNETES:-${XDG_CACHE_HOME:-$HOME/.cache}/rtbeat/kubernetes-$version-$sum}
mkdir -p "$folder"

# Kubernetes refuses to start without a version, which its own build sets.
minor=${version#v1.}
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done

# build NAME FLAG... PACKAGE. An interrupted build leaves nothing under the name.
build() {
	name=$1
	shift
	if [ -x "$folder/$name" ]; then
		return
	fi
	began=$(date +%s)
	GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$folder/$name.partial" "$@"
	mv "$folder/$name.partial" "$folder/$name"
	echo "Built $name in $(($(date +%s) - began)) s."
}
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
	build $program k8s.io/kubernetes/cmd/$program
done
build coredns ./coredns
# Of its discoveries, only the one that the test uses.
(cd ../prometheus && build prometheus -tags remove_all_sd,enable_kubernetes_sd github.com/prometheus/prometheus/cmd/prometheus)
# The link has a name that the Makefile knows.
mkdir -p ../../../build
ln -sfn "$folder" ../../../build/kubernetes

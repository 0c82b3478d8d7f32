#!/bin/sh
# Builds the programs of `make cluster` that Debian does not have: Kubernetes and CoreDNS, at the versions of
# test/cluster/kubernetes/go.mod. They are kept outside of the tree, in ~/.cache/rtbeat unless RTBEAT_KUBERNETES names a folder.
# The first run takes about ten minutes on two cores; later ones find everything.
set -eu
cd "$(dirname "$0")/../test/cluster/kubernetes"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
folder=${RTBEAT_KUBERNETES:-${XDG_CACHE_HOME:-$HOME/.cache}/rtbeat/kubernetes-$version}
mkdir -p "$folder"

# Kubernetes refuses to start without a version, which its own build sets.
minor=${version#v1.}
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done

# build NAME PACKAGE. An interrupted build leaves nothing under the name.
build() {
	if [ -x "$folder/$1" ]; then
		return
	fi
	began=$(date +%s)
	GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$folder/$1.partial" "$2"
	mv "$folder/$1.partial" "$folder/$1"
	echo "Built $1 in $(($(date +%s) - began)) s."
}
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
	build $program k8s.io/kubernetes/cmd/$program
done
build coredns ./coredns
# The link has a name that the Makefile knows.
mkdir -p ../../../build
ln -sfn "$folder" ../../../build/kubernetes

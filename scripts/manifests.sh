#!/bin/sh
# Makes sure that the programs are there which `make manifests` and `make chart` look at the manifests with: those of
# scripts/tools.txt that are named, and Kubernetes' own policy, which comes as Go modules and has a go.mod apart from rtbeat's.
set -eu
cd "$(dirname "$0")/.."

for program in "$@"; do
	scripts/tool.sh "$program" >/dev/null
done
mkdir -p build
cd test/manifests/podsecurity
GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -o ../../../build/podsecurity .

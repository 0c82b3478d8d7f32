#!/bin/sh
# Builds the programs of `make manifests` and `make chart`: the arguments, from scripts/tools.txt, and Kubernetes' policy. The
# policy is in Go modules that stay out of rtbeat's go.mod.
set -eu
cd "$(dirname "$0")/.."

for program in "$@"; do
	scripts/tool.sh "$program" >/dev/null
done
mkdir -p build
cd test/manifests/podsecurity
GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -o ../../../build/podsecurity .

#!/bin/sh
# Usage: scripts/cross.sh GOOS/GOARCH
#
# Builds rtbeat for another system into build/cross, and vets all packages and tests for it.
set -eu
cd "$(dirname "$0")/.."

GOOS=${1%/*} GOARCH=${1#*/}
export GOOS GOARCH CGO_ENABLED=0
GOFLAGS="$(go env GOFLAGS) -trimpath"
export GOFLAGS
suffix=
[ "$GOOS" != windows ] || suffix=.exe

echo "$1"
mkdir -p build/cross
scripts/compile.sh . -buildvcs=false -ldflags "$(scripts/ldflags.sh)" -o "build/cross/rtbeat-$GOOS-$GOARCH$suffix"
go vet ./...

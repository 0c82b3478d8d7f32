#!/bin/sh
# Builds the OpenTelemetry Collector that `make senders` runs. It comes as Go modules, and has a go.mod apart from rtbeat's.
set -eu
cd "$(dirname "$0")/../test/senders/otelcol"
mkdir -p ../../../build
GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -o ../../../build/otelcol .

#!/bin/sh
# Builds the OpenTelemetry Collector of `make senders`. Its Go modules stay out of rtbeat's go.mod.
set -eu
cd "$(dirname "$0")/../test/senders/otelcol"
mkdir -p ../../../build
GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -o ../../../build/otelcol .

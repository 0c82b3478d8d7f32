#!/bin/sh
# Builds the programs of `make senders` that are Go modules: an OpenTelemetry Collector, a Telegraf and a Benthos. Their
# modules stay out of rtbeat's go.mod.
set -eu
cd "$(dirname "$0")/../test/senders"
mkdir -p ../../build
GOFLAGS="$(go env GOFLAGS) -mod=readonly"
export GOFLAGS
for program in otelcol telegraf benthos; do
	(cd $program && CGO_ENABLED=0 go build -trimpath -o ../../../build/$program .)
done

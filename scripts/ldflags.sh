#!/bin/sh
# Prints the linker flags that stamp version, commit and commit time into the binary. .goreleaser.yml has the same flags.
set -eu
cd "$(dirname "$0")/.."

stamp=
if [ -e .git ] && commit=$(git rev-parse --verify -q HEAD); then
	libbeat=github.com/elastic/beats/v7/libbeat/version
	stamp=" -X $libbeat.commit=$commit -X $libbeat.buildTime=$(scripts/committime.sh)"
fi
echo "-s -w -X github.com/txn2/rtbeat/cmd.version=$(scripts/version.sh)$stamp"

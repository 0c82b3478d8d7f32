#!/bin/sh
# Prints the time of the commit. All files that are built from the commit have this time. Without history it is the time of
# the file VERSION.
set -eu
cd "$(dirname "$0")/.."

if [ -e .git ] && git rev-parse --verify -q HEAD >/dev/null; then
	TZ=UTC0 git show -s --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd HEAD
else
	date -u -r VERSION +%Y-%m-%dT%H:%M:%SZ
fi

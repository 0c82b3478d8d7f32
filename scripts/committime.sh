#!/bin/sh
# Prints the time of the commit, which is the time of everything that is built from it. Without history it is that of the
# file VERSION.
set -eu
cd "$(dirname "$0")/.."

if [ -e .git ] && git rev-parse --verify -q HEAD >/dev/null; then
	TZ=UTC0 git show -s --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd HEAD
else
	date -u -r VERSION +%Y-%m-%dT%H:%M:%SZ
fi

#!/bin/sh
# Prints the linker flags that stamp version, commit and commit time into the binary. A commit that carries a
# version tag has that version; any other is VERSION-dev+SHA, with .dirty when tracked files were changed. Where
# there is no history, as in a source archive, it is VERSION-dev. VERSION in the environment overrides it.
set -eu
cd "$(dirname "$0")/.."

version=$(cat VERSION)-dev
stamp=
# Without .git here, git would answer for a repository that this folder merely lies in.
if [ -e .git ] && commit=$(git rev-parse --verify HEAD 2>/dev/null); then
	dirty=$(git status --porcelain --untracked-files=no)
	if [ -z "$dirty" ] && tag=$(git describe --exact-match --tags --match 'v[0-9]*' 2>/dev/null); then
		version=${tag#v}
	else
		version=$version+$(git rev-parse --short HEAD)${dirty:+.dirty}
	fi
	time=$(TZ=UTC0 git show -s --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd HEAD)
	libbeat=github.com/elastic/beats/v7/libbeat/version
	stamp=" -X $libbeat.commit=$commit -X $libbeat.buildTime=$time"
fi
echo "-s -w -X github.com/txn2/rtbeat/cmd.version=${VERSION:-$version}$stamp"

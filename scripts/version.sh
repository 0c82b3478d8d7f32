#!/bin/sh
# Prints the version that a build from here has. A commit that carries a version tag has that version; any other is
# VERSION-dev+SHA, with .dirty when tracked files were changed. Where there is no history, as in a source archive, it is
# VERSION-dev. VERSION in the environment overrides it.
set -eu
cd "$(dirname "$0")/.."

version=$(cat VERSION)-dev
# Without .git here, git would answer for a repository that this folder merely lies in.
if [ -e .git ] && git rev-parse --verify -q HEAD >/dev/null; then
	dirty=$(git status --porcelain --untracked-files=no)
	if [ -z "$dirty" ] && tag=$(git describe --exact-match --tags --match 'v[0-9]*' 2>/dev/null); then
		version=${tag#v}
	else
		version=$version+$(git rev-parse --short HEAD)${dirty:+.dirty}
	fi
fi
echo "${VERSION:-$version}"

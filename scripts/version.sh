#!/bin/sh
# Prints the version of a build. A commit with a version tag has that version. Any other commit has VERSION-dev+SHA, with
# .dirty if tracked files were changed. Without history, as in a source archive, it is VERSION-dev. VERSION in the environment
# overrides it.
set -eu
cd "$(dirname "$0")/.."

version=$(cat VERSION)-dev
# Without .git, git would use the repository of a parent folder.
if [ -e .git ] && git rev-parse --verify -q HEAD >/dev/null; then
	dirty=$(git status --porcelain --untracked-files=no)
	if [ -z "$dirty" ] && tag=$(git describe --exact-match --tags --match 'v[0-9]*' 2>/dev/null); then
		version=${tag#v}
	else
		version=$version+$(git rev-parse --short HEAD)${dirty:+.dirty}
	fi
fi
echo "${VERSION:-$version}"

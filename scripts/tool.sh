#!/bin/sh
# Usage: scripts/tool.sh NAME
#
# Prints the path of a program of scripts/tools.txt. It builds the program if this version is missing.
set -eu
cd "$(dirname "$0")/.."

package=$(awk -v name="$1" '$1 == name { print $2 }' scripts/tools.txt)
if [ -z "$package" ]; then
	echo "$1 is not in scripts/tools.txt" >&2
	exit 1
fi
folder=$PWD/build/tools/$1-${package##*@}
if [ ! -x "$folder/$1" ]; then
	echo "Building $package." >&2
	mkdir -p "$folder"
	# In a temporary folder first: an interrupted build must not look complete.
	partial=$(mktemp -d "$folder/XXXXXX")
	trap 'rm -rf "$partial"' EXIT
	GOBIN=$partial GOFLAGS="$(go env GOFLAGS) -trimpath" CGO_ENABLED=0 go install "$package" >&2
	mv "$partial"/* "$folder/$1"
fi
echo "$folder/$1"

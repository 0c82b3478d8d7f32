#!/bin/sh
# Installs a C compiler and libc's headers if they are missing. Go's race detector needs them to link.
set -eu
cd "$(dirname "$0")/.."

works() {
	# shellcheck disable=SC2046 # CC may carry flags
	echo 'int main(void) { return 0; }' | $(go env CC) -include stdlib.h -x c -o /dev/null - >/dev/null 2>&1
}

works && exit
scripts/provide.sh unit || :
if ! works; then
	echo "$(go env CC) cannot build a program, and the race detector needs it. Install a C compiler and libc's headers, or test without: make RACE= test" >&2
	exit 1
fi

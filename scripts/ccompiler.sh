#!/bin/sh
# Makes sure that Go's race detector can link: it needs a C compiler and libc's headers.
set -eu
cd "$(dirname "$0")/.."

works() {
	# shellcheck disable=SC2046 # CC may carry flags
	echo 'int main(void) { return 0; }' | $(go env CC) -include stdlib.h -x c -o /dev/null - >/dev/null 2>&1
}

works && exit
scripts/provide.sh unit || :
if ! works; then
	echo "$(go env CC) does not build a program here, so the race detector does not work. Or test without it: make RACE= test" >&2
	exit 1
fi

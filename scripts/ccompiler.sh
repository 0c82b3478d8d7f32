#!/bin/sh
# Makes sure that there is a C compiler with libc's headers, which Go's race detector links with. Installs them
# where that takes no question: as root on Debian and its kin.
set -eu

works() {
	# shellcheck disable=SC2046 # CC may carry flags
	echo 'int main(void) { return 0; }' | $(go env CC) -include stdlib.h -x c -o /dev/null - >/dev/null 2>&1
}

works && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "Installing gcc and libc6-dev: the race detector needs a C compiler."
	export DEBIAN_FRONTEND=noninteractive
	if apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null; then
		works && exit
	fi
fi
cat >&2 <<END
The race detector needs a C compiler and libc's headers ($(go env CC) does not build a program here).
  Debian, Ubuntu:  sudo apt-get install gcc libc6-dev
  Fedora, RHEL:    sudo dnf install gcc glibc-devel
  Alpine:          sudo apk add gcc musl-dev
Or test without it: make RACE= test
END
exit 1

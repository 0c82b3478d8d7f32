#!/bin/sh
# Makes sure that HAProxy is there for `make rolling`. Installs it where that takes no question: as root on Debian and its
# kin, without starting it.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

PATH=$PATH:/usr/sbin:/usr/local/sbin
missing() { ! command -v haproxy >/dev/null; }

if missing && can_install; then
	echo "Installing haproxy for the test of rolling restarts."
	install_quietly haproxy || :
	systemctl disable haproxy >/dev/null 2>&1 || : # nor is it to start with the machine
fi
if missing; then
	cat >&2 <<END
The package haproxy is missing; the tests that need it are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends haproxy
END
fi

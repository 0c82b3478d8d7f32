#!/bin/sh
# Makes sure that redis-server is there, which `make e2e` delivers to. Installs it where that takes no question: as root on
# Debian and its kin, without starting it.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

command -v redis-server >/dev/null && exit 0
if can_install && ! replaces_another redis-server; then
	echo "Installing redis-server for the tests of outputs."
	install_quietly redis-server || :
	systemctl disable redis-server >/dev/null 2>&1 || : # nor is it to start with the machine
fi
if ! command -v redis-server >/dev/null; then
	echo "redis-server is missing; the tests of the redis output are skipped." >&2
	echo "  Debian, Ubuntu:  sudo apt-get install --no-install-recommends redis-server" >&2
	exit 1
fi

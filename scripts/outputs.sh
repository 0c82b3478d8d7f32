#!/bin/sh
# Makes sure that redis-server is there, which `make e2e` delivers to. Installs it where that takes no question: as root on
# Debian and its kin, without starting it.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

provide "the tests of the redis output" redis-server:redis-server

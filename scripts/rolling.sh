#!/bin/sh
# Makes sure that the proxies are there which `make rolling` puts in front of rtbeat. Installs them where that takes no
# question: as root on Debian and its kin, without starting any.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

provide "the tests of rolling restarts" nginx:nginx-light haproxy:haproxy

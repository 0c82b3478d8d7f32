#!/bin/sh
# Makes sure that Prometheus and promtool are there, which `make monitoring` runs. Installs them where that takes no
# question: as root on Debian and its kin, without starting any, and without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

provide "the tests of rules and dashboards" prometheus:prometheus promtool:prometheus

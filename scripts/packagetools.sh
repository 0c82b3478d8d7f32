#!/bin/sh
# Makes sure that the programs are there with which `make packages-test` looks at the packages. Installs them where that
# takes no question: as root on Debian and its kin, without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

provide "the tests of packages" \
	busybox:busybox-static lintian:lintian man:man-db rpm:rpm shellcheck:shellcheck systemd-analyze:systemd

#!/bin/sh
# Makes sure that Prometheus and promtool are there, which `make monitoring` runs. Installs them where that takes no
# question: as root on Debian and its kin, without starting any, and without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

missing() { ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; }

if missing && can_install; then
	if replaces_another prometheus; then
		echo "prometheus is left out: it would remove other packages."
	else
		echo "Installing prometheus for the tests of rules and dashboards."
		install_quietly prometheus || :
		systemctl disable prometheus >/dev/null 2>&1 || : # nor is it to start with the machine
	fi
fi

if missing; then
	cat >&2 <<END
prometheus or promtool is missing; the tests that need them are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends prometheus
END
	exit 1
fi

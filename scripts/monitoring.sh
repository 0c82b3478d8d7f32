#!/bin/sh
# Makes sure that Prometheus and promtool are there, which `make monitoring` runs. Installs them where that takes no
# question: as root on Debian and its kin, without starting any, and without removing anything for them.
set -eu

# A service that a package brings would listen on this machine. Debian asks this file before it starts one.
install_quietly() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
	# Nor at the next start of the machine.
	systemctl disable prometheus >/dev/null 2>&1 || :
}

missing() { ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; }

if missing && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq; then
	if apt-get install -s --no-install-recommends prometheus 2>/dev/null | grep -q '^Remv'; then
		echo "prometheus is left out: it would remove other packages."
	else
		echo "Installing prometheus for the tests of rules and dashboards."
		install_quietly prometheus || :
	fi
fi

if missing; then
	cat >&2 <<END
prometheus or promtool is missing; the tests that need them are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends prometheus
END
	exit 1
fi

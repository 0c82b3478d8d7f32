#!/bin/sh
# Makes sure that the programs are there which `make senders` puts in front of rtbeat. Installs them where that takes no
# question: as root on Debian and its kin, without starting any, and without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

# What each program is part of. Daemons are not always in PATH.
PATH=$PATH:/usr/sbin:/usr/local/sbin
missing() {
	for pair in curl:curl openssl:openssl zstd:zstd nginx:nginx-light haproxy:haproxy syslog-ng:syslog-ng-core; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
	done
	find /usr/lib/syslog-ng /usr/lib64/syslog-ng -name libhttp.so 2>/dev/null | grep -q . || echo syslog-ng-mod-http
}

install_here() {
	install_quietly "$@"
	# Nor are services to start with the machine.
	for service in nginx haproxy syslog-ng; do
		case " $* " in
		*" $service"*) systemctl disable "$service" >/dev/null 2>&1 || : ;;
		esac
	done
}

packages=$(missing)
line() { echo "$packages" | tr '\n' ' '; }
if [ -n "$packages" ] && can_install; then
	for package in $packages; do
		if replaces_another "$package"; then # syslog-ng does where there is another logger
			echo "$package is left out: it would remove other packages."
			packages=$(echo "$packages" | grep -vx "$package" || :)
		fi
	done
	if [ -n "$packages" ]; then
		echo "Installing $(line)for the tests of senders."
		# shellcheck disable=SC2086 # one word for each package
		install_here $packages || :
	fi
fi

# The OpenTelemetry Collector comes as Go modules: its own go.mod has them, apart from rtbeat's.
mkdir -p build
collector=yes
(cd test/senders/otelcol && GOFLAGS="$(go env GOFLAGS) -mod=readonly" CGO_ENABLED=0 go build -trimpath -o ../../../build/otelcol .) || collector=no

packages=$(missing)
if [ -n "$packages" ]; then
	cat >&2 <<END
These packages are missing; the tests that need them are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends $(line)
END
fi
if [ $collector = no ]; then
	echo "build/otelcol could not be built; the test of the OpenTelemetry Collector is skipped." >&2
fi

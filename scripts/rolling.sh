#!/bin/sh
# Makes sure that the proxies are there which `make rolling` puts in front of rtbeat. Installs them where that takes no
# question: as root on Debian and its kin, without starting any.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

PATH=$PATH:/usr/sbin:/usr/local/sbin
missing() {
	for pair in nginx:nginx-light haproxy:haproxy; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
	done
}

for package in $(missing); do
	can_install || break
	echo "Installing $package for the tests of rolling restarts."
	install_quietly "$package" || :
	systemctl disable "${package%-light}" >/dev/null 2>&1 || : # nor is it to start with the machine
done

packages=$(missing | tr '\n' ' ')
if [ -n "$packages" ]; then
	cat >&2 <<END
These packages are missing; the tests that need them are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends $packages
END
fi

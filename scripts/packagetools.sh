#!/bin/sh
# Makes sure that the programs are there with which `make packages-test` looks at the packages. Installs them where that
# takes no question: as root on Debian and its kin, without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

missing() {
	for pair in busybox:busybox-static lintian:lintian man:man-db rpm:rpm shellcheck:shellcheck systemd-analyze:systemd; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
	done
}

packages=$(missing)
line() { echo "$packages" | tr '\n' ' '; }
if [ -n "$packages" ] && can_install; then
	for package in $packages; do
		if replaces_another "$package"; then # busybox-static does where there is busybox
			echo "$package is left out: it would remove other packages."
			packages=$(echo "$packages" | grep -vx "$package" || :)
		fi
	done
	if [ -n "$packages" ]; then
		echo "Installing $(line)for the tests of packages."
		# shellcheck disable=SC2086 # one word for each package
		install_quietly $packages || :
	fi
fi

packages=$(missing)
if [ -n "$packages" ]; then
	cat >&2 <<END
These packages are missing; the tests that need them are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends $(line)
END
	exit 1
fi

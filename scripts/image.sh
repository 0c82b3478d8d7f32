#!/bin/sh
# Makes sure that the programs are there which `make image-test` builds, looks into and runs the image with: no Docker.
# Installs them where that takes no question: as root on Debian and its kin, without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

PATH=$PATH:/usr/sbin
missing() {
	for program in buildah skopeo umoci runc; do
		command -v $program >/dev/null || echo $program
	done
}

packages=$(missing)
line() { echo "$packages" | tr '\n' ' '; }
if [ -n "$packages" ] && can_install; then
	echo "Installing $(line)for the test of the image."
	for package in $packages; do
		if replaces_another "$package"; then # runc does where Docker brings its own
			echo "$package is left out: it would remove other packages."
		else
			install_quietly "$package" || :
		fi
	done
fi

packages=$(missing)
if [ -n "$packages" ]; then
	cat >&2 <<END
These packages are missing; the test of the image is skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends $(line)
END
	exit 1
fi

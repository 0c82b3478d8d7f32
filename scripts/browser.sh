#!/bin/sh
# Makes sure that Chromium is there, which `make browser` looks at the status page with. Installs it where that takes no
# question: as root on Debian and its kin, without removing anything for it.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

missing() {
	for name in chromium chromium-browser google-chrome; do
		command -v $name >/dev/null && return 1
	done
	return 0
}

if missing && can_install; then
	if replaces_another chromium; then
		echo "chromium is left out: it would remove other packages."
	else
		echo "Installing chromium for the tests of the status page."
		install_quietly chromium || :
	fi
fi
if missing; then
	cat >&2 <<END
This package is missing; the tests that need it are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends chromium
END
	exit 1
fi

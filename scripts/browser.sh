#!/bin/sh
# Makes sure that Chromium is there, which `make browser` looks at the status page with. Installs it where that takes no
# question: as root on Debian and its kin, without removing anything for it.
set -eu

missing() {
	for name in chromium chromium-browser google-chrome; do
		command -v $name >/dev/null && return 1
	done
	return 0
}

if missing && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq; then
	if apt-get install -s --no-install-recommends chromium 2>/dev/null | grep -q '^Remv'; then
		echo "chromium is left out: it would remove other packages."
	else
		echo "Installing chromium for the tests of the status page."
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || :
	fi
fi
if missing; then
	cat >&2 <<END
This package is missing; the tests that need it are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends chromium
END
	exit 1
fi

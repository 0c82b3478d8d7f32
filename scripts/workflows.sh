#!/bin/sh
# Makes sure that shellcheck is there, which `make workflows` looks at scripts with, those in workflows included. Installs
# it where that takes no question: as root on Debian and its kin.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

missing() { ! command -v shellcheck >/dev/null; }

if missing && can_install; then
	echo "Installing shellcheck for the tests of scripts and workflows."
	install_quietly shellcheck || :
fi
if missing; then
	cat >&2 <<END
This package is missing; the tests that need it are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends shellcheck
END
	exit 1
fi

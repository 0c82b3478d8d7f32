#!/bin/sh
# Makes sure that shellcheck is there, which `make workflows` looks at scripts with, those in workflows included. Installs
# it where that takes no question: as root on Debian and its kin.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

provide "the tests of scripts and workflows" shellcheck:shellcheck

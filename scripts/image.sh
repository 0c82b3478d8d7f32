#!/bin/sh
# Makes sure that the programs are there which `make image-test` builds, looks into and runs the image with: no Docker.
# Installs them where that takes no question: as root on Debian and its kin, without removing anything for them.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

# runc is left out where Docker brings its own.
provide "the test of the image" buildah:buildah skopeo:skopeo umoci:umoci runc:runc

#!/bin/sh
# Builds the deb, rpm and apk of build/rtbeat for this machine's architecture into build/packages, with the release's lines
# of .goreleaser.yml.
set -eu
cd "$(dirname "$0")/.."

nfpm=$(scripts/tool.sh nfpm)
version=$(scripts/version.sh)
date=$(scripts/committime.sh)
arch=$(go env GOARCH)

go run ./tools/extras -version "$version" -date "$date"
rm -rf build/packages
mkdir -p build/packages
go run ./tools/nfpm -version "$version" -date "$date" -arch "$arch" >build/packages/nfpm.yml
for format in deb rpm apk; do
	package=build/packages/rtbeat_${version}_$arch.$format
	"$nfpm" package --config build/packages/nfpm.yml --packager $format --target "$package" >/dev/null
	echo "$package"
done

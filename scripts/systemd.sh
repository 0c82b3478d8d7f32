#!/bin/sh
# Makes build/systemd/rootfs.tar for `make systemd`: a small Debian with systemd, from this machine's package sources. It is
# made once; remove the file for a newer one. The script also makes two packages: current.deb of `make packages`, and
# older.deb with a lower version, for upgrades.
set -eu
cd "$(dirname "$0")/.."

mkdir -p build/systemd
nfpm=$(scripts/tool.sh nfpm)
arch=$(go env GOARCH)
cp build/packages/rtbeat_*_"$arch".deb build/systemd/current.deb
go run ./tools/nfpm -version 0.0.1 -date "$(scripts/committime.sh)" -arch "$arch" >build/systemd/older.yml
"$nfpm" package --config build/systemd/older.yml --packager deb --target build/systemd/older.deb >/dev/null

rootfs=build/systemd/rootfs.tar
if [ -e $rootfs ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
	echo "Only root can make $rootfs; the tests that boot a system are skipped." >&2
	exit 1
fi

# The distribution's sources, without added ones.
. /etc/os-release
sources=
for file in "/etc/apt/sources.list.d/$ID.sources" /etc/apt/sources.list; do
	if [ -s "$file" ] && grep -qE '^(deb|Types:)' "$file"; then
		sources=$file
		break
	fi
done
if [ -z "$sources" ]; then
	echo "No package sources of $ID in /etc/apt; the tests that boot a system are skipped." >&2
	exit 1
fi

echo "Making $rootfs from the packages of $ID $VERSION_CODENAME (a minute or two)."
partial=$(mktemp build/systemd/XXXXXX.tar)
log=build/systemd/rootfs.log
trap 'rm -f "$partial"' EXIT
if ! mmdebstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates \
	"$VERSION_CODENAME" "$partial" "$sources" >$log 2>&1; then
	tail -n 20 $log >&2
	exit 1
fi
mv "$partial" $rootfs

#!/bin/sh
# Runs before the files are removed. dpkg calls it with remove or upgrade, rpm with the number of versions that stay, 0 or
# 1. At an upgrade the service runs until the new version is in place.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl --no-reload disable --now rtbeat.socket rtbeat.service || :
fi

#!/bin/sh
# Runs before the files are unpacked, and makes the user that owns them. Debian, RPM and Alpine call it with different
# arguments. It uses none.
set -e

if ! getent group rtbeat >/dev/null; then
	if command -v groupadd >/dev/null; then groupadd --system rtbeat; else addgroup -S rtbeat; fi
fi
if ! getent passwd rtbeat >/dev/null; then
	if command -v useradd >/dev/null; then
		useradd --system --gid rtbeat --home-dir /var/lib/rtbeat --no-create-home --comment rtbeat --shell /usr/sbin/nologin rtbeat
	else
		adduser -S -D -H -G rtbeat -h /var/lib/rtbeat -g rtbeat -s /sbin/nologin rtbeat
	fi
fi

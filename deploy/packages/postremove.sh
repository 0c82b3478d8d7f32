#!/bin/sh
# Runs after the files are removed. Only dpkg's purge removes data and logs. The user stays: otherwise another user could
# get its number, and with it the remaining files.
set -e

if [ "$1" = purge ]; then
	# A mount point is emptied and stays. dpkg must not fail because of it.
	rm -rf /var/lib/rtbeat /var/log/rtbeat || :
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
fi

#!/bin/sh
# Runs after the files have gone. Only dpkg's purge removes data and logs. The user stays, so that no other one gets its
# number and with it what it left behind.
set -e

if [ "$1" = purge ]; then
	# One that is a mount point is emptied, and stays: no reason for dpkg to stop here.
	rm -rf /var/lib/rtbeat /var/log/rtbeat || :
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
fi

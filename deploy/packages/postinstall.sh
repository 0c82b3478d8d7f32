#!/bin/sh
# Runs after the files are in place, at an installation as well as an upgrade. It enables and starts nothing: that is the
# operator's to decide. A service that runs is restarted; the socket is left open meanwhile. One that does not come back,
# as with a mistake in its configuration, is his as well: systemctl says so, and a package half installed would help nobody.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	systemctl try-restart rtbeat.service || :
fi

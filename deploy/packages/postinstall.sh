#!/bin/sh
# Runs after the files are in place, at an installation as well as an upgrade. It enables and starts nothing: that is the
# operator's to decide. A service that runs is restarted; the socket is left open meanwhile.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart rtbeat.service
fi

#!/bin/sh
# Runs after the files are in place, at an installation as well as an upgrade. It enables and starts nothing: that is the
# operator's to decide. A service that runs is restarted; the socket is left open meanwhile. Where it does not come up, as
# with a configuration that was broken since its start, systemctl says so, and the package is installed all the same: one
# that is half installed holds up apt for the whole machine.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	systemctl try-restart rtbeat.service || :
fi

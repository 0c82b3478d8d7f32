#!/bin/sh
# Runs after the files are in place, at an installation and at an upgrade. It restarts a running service, and leaves its
# socket open. It enables and starts nothing: the operator decides. If the restart fails, such as with a broken
# configuration, systemctl says so. The package is installed all the same: a half-installed one blocks apt.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	systemctl try-restart rtbeat.service || :
fi

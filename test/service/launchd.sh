#!/bin/sh
# Installs build/rtbeat as a daemon of macOS, as docs/service.md says, stops it, kills it, and removes it again. For a
# machine that can be thrown away: CI's.
set -eu
cd "$(dirname "$0")/../.."

label=io.github.txn2.rtbeat
plist=/Library/LaunchDaemons/$label.plist
log=/usr/local/var/log/rtbeat

live() { curl -fsS -m 2 -o /dev/null http://127.0.0.1:8081/livez 2>/dev/null; }
gone() { ! sudo launchctl print system/$label >/dev/null 2>&1; }
pid() { sudo launchctl print system/$label | awk '$1 == "pid" { print $3 }'; }
another() { [ -n "$(pid)" ] && [ "$(pid)" != "$before" ]; }
stopped() { sudo sh -c "cat $log/*.ndjson" | grep -q '"message":"stopped: '; }
until_that() { # a condition, and what it means
	for _ in $(seq 120); do
		if $1; then
			echo "ok: $2"
			return
		fi
		sleep 0.5
	done
	echo "not within a minute: $2" >&2
	sudo sh -c "tail -n 40 $log/*" >&2
	exit 1
}

plutil -lint deploy/launchd/$label.plist
sudo mkdir -p /usr/local/bin /usr/local/etc
sudo install -m 755 build/rtbeat /usr/local/bin/rtbeat
sudo install -d -o root -g daemon -m 750 /usr/local/etc/rtbeat
sudo install -d -o daemon -g daemon -m 750 /usr/local/var/lib/rtbeat $log
sudo install -o root -g daemon -m 640 rtbeat.yml /usr/local/etc/rtbeat/rtbeat.yml
sudo install -o root -g wheel -m 644 deploy/launchd/$label.plist $plist

sudo launchctl bootstrap system $plist
until_that live "it serves"
before=$(pid)
sudo kill -KILL "$before"
until_that another "it is started again after a crash"
until_that live "and serves"
sudo launchctl bootout system/$label
until_that gone "it stops when it is told to"
until_that stopped "the account is in the log"

sudo rm -rf $plist /usr/local/bin/rtbeat /usr/local/etc/rtbeat /usr/local/var/lib/rtbeat $log

#!/bin/bash
# Usage: node.sh FOLDER NAME READY
#
# Process 1 of a node. It hides the machine's folders that a node writes to, writes the file READY, and reaps orphans until it is
# killed.
set -eu
folder=$1
hostname "$2"
mount --bind "$folder/lib" /var/lib
mount --bind "$folder/log" /var/log
mount -t tmpfs -o mode=755 run /run
mkdir /run/sysctl
# A kubelet sets these for the whole machine. It may do so in a file.
for pair in vm/overcommit_memory:1 vm/panic_on_oom:0 kernel/panic:10 kernel/panic_on_oops:1 \
	kernel/keys/root_maxkeys:1000000 kernel/keys/root_maxbytes:25000000; do
	file=/run/sysctl/${pair//\//.}
	echo "${pair#*:}" >"$file"
	mount --bind "$file" "/proc/sys/${pair%:*}"
done
echo 1 >/proc/sys/net/ipv4/ip_forward
# Pods of one bridge reach each other through a Service.
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
	echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
fi
touch "$3"
while :; do
	sleep 3600 &
	wait $!
done

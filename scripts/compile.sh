#!/bin/sh
# Usage: scripts/compile.sh "PACKAGES" [go build flags]
#
# Runs go build, and prints its progress every ten seconds. From an empty cache libbeat's 1,400 packages take minutes, and
# go prints nothing meanwhile. Put flags that change the compiled code (-race, -trimpath) into GOFLAGS: go list reads them too.
set -eu
packages=$1
shift

# go list downloads missing modules, and prints that.
# shellcheck disable=SC2086 # the packages are separate words
total=$(go list -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' $packages | grep -c .) || true
[ "$total" -lt 300 ] || echo "Compiling $total packages. On two cores a first build takes 3 to 8 minutes, later ones seconds."

log=$(mktemp)
name='^[^ :#]*$' # the form of a package in -v; other lines are messages
while sleep 10 >/dev/null 2>&1; do
	done=$(grep -c "$name" "$log" || true)
	if [ "$done" -lt "$total" ]; then
		echo "  $done of about $total packages compiled"
	else
		echo "  linking"
	fi
done &
trap 'kill $! 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

began=$(date +%s)
status=0
# shellcheck disable=SC2086
go build -v "$@" $packages 2>"$log" || status=$?
grep -v "$name" "$log" >&2 || true
[ "$total" -lt 300 ] || echo "Compiled in $(($(date +%s) - began)) s."
exit "$status"

#!/bin/sh
# Usage: scripts/provide.sh SUITE
#
# Checks a suite's programs of scripts/programs.txt, and runs scripts/SUITE.sh if there is one. As root on Debian or a
# derivative, it installs missing packages. It starts no service and removes no package. If a program is still missing, it
# fails, and prints the command to install it.
set -eu
cd "$(dirname "$0")/.."
suite=$1
PATH=$PATH:/usr/sbin:/usr/local/sbin # for daemons

# is_here NAME|NAME...
is_here() (
	IFS='|'
	for name in $1; do # expands *
		case $name in
		/*) if [ -e "$name" ]; then exit 0; fi ;;
		*) if command -v "$name" >/dev/null; then exit 0; fi ;;
		esac
	done
	exit 1
)

# missing prints the packages of missing programs.
missing() {
	awk -v suite="$suite" '$1 == suite { for (i = 2; i <= NF; i++) print $i }' scripts/programs.txt | while read -r pair; do
		is_here "${pair%:*}" || echo "${pair##*:}"
	done | sort -u | tr '\n' ' '
}

install() {
	# Debian runs this file before it starts a service. 101 means: do not start it.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	apt-get update -qq || return 0
	for package in "$@"; do
		if apt-get install -s --no-install-recommends "$package" 2>/dev/null | grep -q '^Remv'; then
			echo "$package is left out: it would remove other packages." # syslog-ng removes other loggers
			continue
		fi
		echo "Installing $package for make $suite."
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null || :
		service=${package%-light}
		systemctl disable "${service%-core}" >/dev/null 2>&1 || : # nor at the next boot
	done
}

packages=$(missing)
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	# shellcheck disable=SC2086 # one word for each package
	(install $packages)
	packages=$(missing)
fi
status=0
if [ -n "$packages" ]; then
	cat >&2 <<END
make $suite needs these packages; without them, the tests that run their programs are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends $packages
END
	status=1
fi
if [ -e "scripts/$suite.sh" ]; then
	"scripts/$suite.sh" || status=$?
fi
exit $status

#!/bin/sh
# Installs Debian packages where that takes no question. Other scripts read it: `. scripts/packages.sh`.

# Daemons are not always in it.
PATH=$PATH:/usr/sbin:/usr/local/sbin

# As root, on Debian and its kin.
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq; }

# Whether a package takes the place of another one, which is for the owner of the machine to decide.
replaces_another() { apt-get install -s --no-install-recommends "$1" 2>/dev/null | grep -q '^Remv'; }

# A service that a package brings would listen on this machine. Debian asks this file before it starts one.
install_quietly() (
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
)

# The packages of those PROGRAM:PACKAGE whose program is not here.
packages_missing() {
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
	done | sort -u
}

# provide PURPOSE PROGRAM:PACKAGE... installs what is missing for a purpose, such as "the tests of packages". It fails, and
# says what to do, where something still is.
provide() {
	purpose=$1
	shift
	if [ -n "$(packages_missing "$@")" ] && can_install; then
		for package in $(packages_missing "$@"); do
			if replaces_another "$package"; then
				echo "$package is left out: it would remove other packages."
				continue
			fi
			echo "Installing $package for $purpose."
			install_quietly "$package" || :
			systemctl disable "${package%-light}" >/dev/null 2>&1 || : # nor is a service to start with the machine
		done
	fi
	[ -n "$(packages_missing "$@")" ] || return 0
	cat >&2 <<END
These packages are missing; what needs them of $purpose is skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends $(packages_missing "$@" | tr '\n' ' ')
END
	return 1
}

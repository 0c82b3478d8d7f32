#!/bin/sh
# Installs Debian packages where that takes no question. Other scripts read it: `. scripts/packages.sh`.

# As root, on Debian and its kin.
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq; }

# Whether a package takes the place of another one, which is for the owner of the machine to decide.
replaces_another() { apt-get install -s --no-install-recommends "$1" 2>/dev/null | grep -q '^Remv'; }

# A service that a package brings would listen on this machine. Debian asks this file before it starts one.
install_quietly() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

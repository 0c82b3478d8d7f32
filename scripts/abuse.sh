#!/bin/sh
# Makes sure that the tools are there which `make abuse` attacks with: slowhttptest, and h2load of nghttp2-client. Installs
# them where that takes no question: as root on Debian and its kin.
set -eu
works() { command -v slowhttptest >/dev/null && command -v h2load >/dev/null; }

works && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "Installing slowhttptest and nghttp2-client to attack with."
	export DEBIAN_FRONTEND=noninteractive
	if apt-get update -qq && apt-get install -y -qq --no-install-recommends slowhttptest nghttp2-client >/dev/null; then
		works && exit
	fi
fi
cat >&2 <<END
The attacks need slowhttptest and h2load.
  Debian, Ubuntu:  sudo apt-get install slowhttptest nghttp2-client
END
exit 1

#!/bin/sh
# rtbeat with the folders that its package has. As root it becomes the user rtbeat, as whom the service runs: libbeat takes
# a configuration only from its own user or root, and what it writes, such as a keystore, the service must be able to read.
set -eu
set -- /usr/share/rtbeat/bin/rtbeat --path.home /usr/share/rtbeat --path.config /etc/rtbeat \
	--path.data /var/lib/rtbeat --path.logs /var/log/rtbeat "$@"
[ "$(id -u)" != 0 ] || set -- setpriv --reuid=rtbeat --regid=rtbeat --init-groups -- "$@"
exec "$@"

#!/bin/sh
# Usage: scripts/image-build.sh FOLDER NAME PLATFORM...
#
# Builds the image NAME from the Dockerfile with docker, podman or buildah. FOLDER has the binary of each platform, as
# linux/amd64/rtbeat. The script copies the Dockerfile's other files to it. Several platforms make a manifest list. ENGINE
# chooses the program, with its flags.
set -eu
cd "$(dirname "$0")/.."
folder=$1
name=$2
shift 2
platforms=$(echo "$*" | tr ' ' ',')

if [ -z "${ENGINE:-}" ]; then
	for program in docker podman buildah; do
		if command -v $program >/dev/null && $program info >/dev/null 2>&1; then
			ENGINE=$program
			break
		fi
	done
fi
if [ -z "${ENGINE:-}" ]; then
	echo "make image needs docker, podman or buildah: install one, and check that its info command works" >&2
	exit 1
fi

cp LICENSE NOTICE rtbeat.yml rtbeat.reference.yml "$folder"
mkdir -p "$folder/deploy"
cp -R deploy/image "$folder/deploy"

set -- --platform "$platforms" --file Dockerfile \
	--label "org.opencontainers.image.version=$(scripts/version.sh)" \
	--label "org.opencontainers.image.created=$(scripts/committime.sh)"
if [ -e .git ]; then
	set -- "$@" --label "org.opencontainers.image.revision=$(git rev-parse HEAD)"
fi
tag=--tag
case $ENGINE in
docker*) set -- buildx build --load "$@" ;;
*)
	# podman and buildah name a manifest list by another flag.
	case $platforms in
	*,*)
		tag=--manifest
		# A build would add to an existing list, and clients would pull its first, old images.
		$ENGINE manifest rm "$name" >/dev/null 2>&1 || $ENGINE rmi "$name" >/dev/null 2>&1 || :
		;;
	esac
	# The Dockerfile runs no command, so it needs no container runtime.
	set -- build --isolation chroot "$@"
	;;
esac
# shellcheck disable=SC2086 # a program with its flags
$ENGINE "$@" $tag "$name" "$folder"

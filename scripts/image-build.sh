#!/bin/sh
# Usage: scripts/image-build.sh FOLDER NAME PLATFORM...
#
# Builds the image NAME from the Dockerfile, with docker, podman or buildah, whichever works here. FOLDER has the binary of
# each platform already, as linux/amd64/rtbeat; the rest of what the Dockerfile copies is put beside it. More than one
# platform makes a manifest list. ENGINE names a program, with its flags, to be used in any case.
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
	echo "make image needs docker, podman or buildah, and none works here." >&2
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
	# They keep a list of images under its own kind of name.
	case $platforms in
	*,*)
		tag=--manifest
		# A list that is there would be added to, so that its first images, the old ones, are pulled; an image is no list.
		$ENGINE manifest rm "$name" >/dev/null 2>&1 || $ENGINE rmi "$name" >/dev/null 2>&1 || :
		;;
	esac
	# The Dockerfile runs nothing, so that it needs no container runtime.
	set -- build --isolation chroot "$@"
	;;
esac
# shellcheck disable=SC2086 # a program with its flags
$ENGINE "$@" $tag "$name" "$folder"

#!/bin/sh
# Usage: scripts/verify-release.sh vX.Y.Z
#
# Downloads a release into build/release, and checks that this repository's release workflow made every file from that tag:
# checksums, cosign's signature, the attestations of provenance, and the same for the image. It needs gh (logged in) and cosign.
set -eu
cd "$(dirname "$0")/.."

tag=$1
repository=${GITHUB_REPOSITORY:-txn2/rtbeat}
image=ghcr.io/$repository:${tag#v}
workflow=$repository/.github/workflows/release.yml
identity=https://github.com/$workflow@refs/tags/$tag
issuer=https://token.actions.githubusercontent.com

rm -rf "build/release/$tag"
mkdir -p "build/release/$tag"
cd "build/release/$tag"
gh release download "$tag" --repo "$repository"

cosign verify-blob --bundle checksums.txt.sigstore.json \
	--certificate-identity "$identity" --certificate-oidc-issuer "$issuer" checksums.txt
sha256sum --strict --check checksums.txt

# A file outside of the list has no signature.
for file in *; do
	case $file in checksums.txt | checksums.txt.sigstore.json) continue ;; esac
	if ! cut -c67- checksums.txt | grep -Fxq "$file"; then
		echo "$file is not in checksums.txt" >&2
		exit 1
	fi
	gh attestation verify "$file" --repo "$repository" --signer-workflow "$workflow" --source-ref "refs/tags/$tag"
done

cosign verify --certificate-identity "$identity" --certificate-oidc-issuer "$issuer" "$image" >/dev/null
gh attestation verify "oci://$image" --repo "$repository" --signer-workflow "$workflow" --source-ref "refs/tags/$tag"
echo "$tag is what $identity made."

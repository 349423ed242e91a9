#!/bin/sh
# The approved commit in a folder of its own, for machines that hand no check-out to a pipeline, as a receiver of webhooks is:
#
#   at-commit.sh REPOSITORY COMMAND…   Clones, checks SHA out, runs the command there, removes the folder.
set -eu
repository=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' INT TERM HUP
git clone --quiet --no-checkout -- "$repository" "$folder"
cd "$folder"
git checkout --quiet --detach "$SHA^{commit}"
"$@"

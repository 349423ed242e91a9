#!/bin/sh
# deploy/run.sh: what a repository does to be deployed. Every pipeline calls it the same way, in the folder of the approved commit:
#
#   ENV=prod TYPE=deploy REF=v1.4.2 SHA=<40 digits> JOB_ID=<uuid> deploy/run.sh
#
# It may call one task by name instead: `deploy/run.sh info`. Exit code 0 means that ENV now runs SHA; anything else that it does not.
set -eu

: "${ENV:?}" "${SHA:?}" "${TYPE:?}"
case $ENV in *[!a-z0-9-]*) echo "not an environment: $ENV" >&2; exit 2 ;; esac
case $SHA in *[!0-9a-f]*) echo "not a commit: $SHA" >&2; exit 2 ;; esac

info() {
  echo "would bring ${REF:-$SHA} ($SHA) to $ENV"
  echo "hosts: $(hosts | tr '\n' ' ')"
}

deploy() {
  info
  for host in $(hosts); do
    echo "[$host] task deploy: $SHA"
    # One of these, or your own:
    #   ssh "$host" "cd /srv/shop && ./switch-to '$SHA'"
    #   kubectl --context "$ENV" set image deployment/shop "shop=registry.acme.example/shop:$SHA"
    #
    # With Deployer (deployer.org) the whole of deploy() is one line, which takes the release by commit and keeps the hosts in deploy.php:
    #   exec vendor/bin/dep deploy "stage=$ENV" --revision="$SHA" --no-interaction
    # and rollback() is
    #   exec vendor/bin/dep rollback "stage=$ENV" --no-interaction
    # `exec`, so that a signal to stop reaches Deployer itself, which then unlocks.
  done
}

# DRAVEN names the commit to go back to, so going back is going there; only what differs stands here.
rollback() {
  echo "going back to $SHA"
  deploy
}

hosts() {
  case $ENV in
    prod) printf '%s\n' shop-1 shop-2 ;;
    *) echo "shop-$ENV" ;;
  esac
}

case ${1:-$TYPE} in
  deploy) deploy ;;
  rollback) rollback ;;
  dry_run | info) info ;;
  *)
    echo "no such task: ${1:-$TYPE}" >&2
    exit 2
    ;;
esac

#!/bin/sh
# The pipeline's side of DRAVEN, for any pipeline. Needs a POSIX shell and curl (7.55 or newer).
#
#   draven-gate.sh claim               May this run act? Exit 0: go on. Anything else: stop, and say so.
#   draven-gate.sh progress TEXT       Tell how far it is. Exit 1: stop.
#   draven-gate.sh run -- COMMAND…     Claim, run the command, send its lines, stop it when told to, tell how it ended.
#
# Reads CALLBACK_URL and CALLBACK_TOKEN, which DRAVEN hands to the pipeline of a project with `callbacks: true`, and DRAVEN_RUN: a name
# of this run that no other run has. It is made from what GitHub, Gitea, GitLab, Bitbucket and Jenkins tell when it is not given.
# Run it in the folder of what is deployed: the commit that is checked out there goes with the claim, and DRAVEN stops a run whose
# commit is not the approved one. Where there is no check-out, or no git, none is told.
# Nobody to ask means no: without these it stops. Nothing secret is printed, and the token is in no list of processes.
set -eu
umask 077
export LC_ALL=C

EVERY_SECONDS=${DRAVEN_EVERY_SECONDS:-2} # between two looks at what the command printed
LINES_A_CALL=30                          # with lines of 1,000 bytes a call stays below the 64 KiB that are taken

say() { printf 'draven: %s\n' "$*" >&2; }

run_name() {
  if [ -n "${DRAVEN_RUN:-}" ]; then printf '%s' "$DRAVEN_RUN"
  elif [ -n "${GITHUB_RUN_ID:-}" ]; then printf '%s/%s' "$GITHUB_RUN_ID" "${GITHUB_RUN_ATTEMPT:-1}"
  elif [ -n "${CI_PIPELINE_ID:-}" ]; then printf '%s/%s' "$CI_PIPELINE_ID" "${CI_JOB_ID:-}"
  elif [ -n "${BITBUCKET_STEP_UUID:-}" ]; then printf '%s/%s' "$BITBUCKET_STEP_UUID" "${BITBUCKET_STEP_RUN_NUMBER:-1}"
  elif [ -n "${BUILD_TAG:-}" ]; then printf '%s' "$BUILD_TAG"
  fi
}

# Lines of text → the inside of JSON strings: no colours, no control characters, quotes and backslashes escaped.
escaped() {
  sed "s/$(printf '\033')\[[0-?]*[ -/]*[@-~]//g" | tr -d '\000-\010\013-\037\177' | cut -b 1-1000 |
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$(printf '\t')/\\\\t/g"
}

quoted() { printf '"%s"' "$(printf '%s' "$1" | tr '\n' ' ' | escaped)"; }

# Sends the body in $work/body. 0: taken · 1: stop, $work/answer says why · 2: not known, may be sent again
post() {
  status=$(curl --silent --max-time 20 --header "@$work/headers" --data-binary "@$work/body" \
    --output "$work/answer" --write-out '%{http_code}' --url "$CALLBACK_URL" 2>"$work/trouble") || status=000
  case $status in
    200 | 202) return 0 ;;
    404) printf '%s' 'It is not known here, or over.' >"$work/why"; return 1 ;;
    409) sed -n 's/.*"reason":"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$work/answer" >"$work/why"; return 1 ;;
    4??) say "DRAVEN did not understand ($status): $(head -c 300 "$work/answer")"; return 2 ;;
    *) return 2 ;;
  esac
}

# The same, again and again for a while: each of these calls may be repeated by the same run.
post_patiently() {
  for pause in 1 2 4 8 0; do
    answer=0; post || answer=$?
    [ "$answer" -eq 2 ] || return "$answer"
    sleep "$pause"
  done
  say "DRAVEN cannot be reached ($status) $(head -c 200 "$work/trouble")"
  return 2
}

# The commit that is checked out here, whatever branch or tag is meant to point at it.
checked_out() { git rev-parse --verify --quiet 'HEAD^{commit}' 2>/dev/null || :; }

claim() {
  sha=$(checked_out)
  printf '{"type":"claim","run":%s%s}' "$run" "${sha:+,\"sha\":\"$sha\"}" >"$work/body"
  answer=0; post_patiently || answer=$?
  case $answer in
    0) say 'go on' ;;
    1) say "stop: $(cat "$work/why")" ;;
    *) say 'stop: nobody answered whether this run may act' ;;
  esac
  return "$answer"
}

progress() {
  printf '{"type":"progress","run":%s,"text":%s}' "$run" "$(quoted "$1")" >"$work/body"
  answer=0; post || answer=$?
  [ "$answer" -ne 1 ] || { say "stop: $(cat "$work/why")"; return 1; }
}

# Prints and sends the whole lines that came since the last time. 1: stop
relay() { # stdout|stderr
  total=$(wc -l <"$work/$1"); shown=$(cat "$work/$1.shown"); sent=$(cat "$work/$1.sent")
  if [ "$total" -gt "$shown" ]; then
    if [ "$1" = stderr ]; then sed -n "$((shown + 1)),${total}p" "$work/$1" >&2; else sed -n "$((shown + 1)),${total}p" "$work/$1"; fi
    echo "$total" >"$work/$1.shown"
  fi
  while [ "$total" -gt "$sent" ]; do
    until=$((sent + LINES_A_CALL)); [ "$until" -le "$total" ] || until=$total
    lines=$(sed -n "$((sent + 1)),${until}p" "$work/$1" | escaped | sed "s/.*/{\"stream\":\"$1\",\"text\":\"&\"},/" | tr -d '\n')
    printf '{"type":"log","run":%s,"lines":[%s]}' "$run" "${lines%,}" >"$work/body"
    answer=0; post || answer=$?
    [ "$answer" -ne 2 ] || return 0 # later
    sent=$until; echo "$sent" >"$work/$1.sent"
    [ "$answer" -eq 0 ] || return 1
  done
}

# A run that prints nothing would not hear that it has to stop.
beat() {
  printf '{"type":"log","run":%s,"lines":[]}' "$run" >"$work/body"
  answer=0; post || answer=$?
  [ "$answer" -ne 1 ]
}

tell_result() { # succeeded|failed|canceled TEXT
  printf '{"type":"result","run":%s,"result":"%s","text":%s}' "$run" "$1" "$(quoted "$2")" >"$work/body"
  post_patiently || :
}

run_command() {
  for stream in stdout stderr; do : >"$work/$stream"; echo 0 >"$work/$stream.shown"; echo 0 >"$work/$stream.sent"; done
  (
    "$@" >"$work/stdout" 2>"$work/stderr" &
    echo $! >"$work/pid"
    code=0; wait $! || code=$?
    echo "$code" >"$work/code.part"; mv "$work/code.part" "$work/code"
  ) &
  why=''; looks=0
  trap 'why=${why:-A signal ended it.}; stop_command' INT TERM HUP
  while [ ! -e "$work/code" ]; do
    sleep "$EVERY_SECONDS"
    go=0; { relay stdout && relay stderr; } || go=1
    looks=$((looks + 1))
    [ "$go" -ne 0 ] || [ $((looks % 5)) -ne 0 ] || beat || go=1
    if [ "$go" -ne 0 ] && [ -z "$why" ]; then why=$(cat "$work/why"); say "stop: $why"; stop_command; fi
  done
  for stream in stdout stderr; do
    [ -z "$(tail -c 1 "$work/$stream")" ] || echo >>"$work/$stream" # the last line may lack its end
    relay "$stream" || :
  done
  code=$(cat "$work/code")
  result=succeeded
  if [ -n "$why" ]; then result=canceled; elif [ "$code" -ne 0 ]; then result=failed; fi
  tell_result "$result" "${why:-exit code $code}"
  [ -z "$why" ] || [ "$code" -ne 0 ] || code=1
  return "$code"
}

stop_command() { [ ! -s "$work/pid" ] || kill "$(cat "$work/pid")" 2>/dev/null || :; }

name=$(run_name)
if [ -z "${CALLBACK_URL:-}" ] || [ -z "${CALLBACK_TOKEN:-}" ]; then
  say 'stop: CALLBACK_URL and CALLBACK_TOKEN are not set, so nobody can be asked whether this run may act'
  exit 2
fi
if [ -z "$name" ]; then say 'stop: set DRAVEN_RUN to a name of this run that no other run has'; exit 2; fi
run=$(quoted "$name")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'Authorization: Bearer %s\nContent-Type: application/json\n' "$CALLBACK_TOKEN" >"$work/headers"

case ${1:-} in
  claim) claim ;;
  progress) progress "${2:-}" ;;
  run)
    shift
    [ "${1:-}" != '--' ] || shift
    [ $# -gt 0 ] || { say 'run what?'; exit 2; }
    told=0; claim || told=$?
    # Told to stop, it is over, and whoever can ask nobody else about this run hears so.
    [ "$told" -ne 1 ] || tell_result canceled "$(cat "$work/why")"
    [ "$told" -eq 0 ] || exit "$told"
    run_command "$@"
    ;;
  *)
    say 'usage: draven-gate.sh claim | progress TEXT | run -- COMMAND…'
    exit 2
    ;;
esac

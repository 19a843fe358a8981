# Shared by the scripts that check packages; sourced, not run. They print TAP ("ok ...",
# "not ok ...") and end with: exit $((failures > 0))
# shellcheck shell=bash

# A script may have a folder of its own for what it makes.
work=${work:-$(mktemp -d)}
trap 'rm -rf "$work"' EXIT
failures=0

# check NAME COMMAND...: one line of TAP, with the command's output if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok - $name"
  else
    echo "not ok - $name"
    sed 's/^/#   /' "$work/log"
    failures=$((failures + 1))
  fi
}

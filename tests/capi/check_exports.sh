#!/bin/sh
# The library exports exactly the functions that its headers declare, which are
# exactly those of the approved list exports.txt: nothing of Highway, of the C++
# runtime or of the core leaks out, and nothing is forgotten.
#
# usage: check_exports.sh LIBBNQ.SO EXPORTS.TXT HEADER...
set -eu
library=$1 approved=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$approved" | sort >"$work/approved"
# Type A is the name of a version node (BNQ_1), not a symbol.
nm -D --defined-only "$library" |
  awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
# Each declaration from BNQ_API to its parenthesis; the last word is the name.
cat "$@" | grep -v '^#' | tr '\n' ' ' | grep -o 'BNQ_API [^;(]*(' |
  sed 's/($//; s/.*[ *]//' | sort >"$work/declared"

status=0
compare() {
  if ! diff "$work/approved" "$work/$1" >"$work/diff"; then
    echo "$2 differ from $approved (< approved, > $1):"
    grep '^[<>]' "$work/diff"
    status=1
  fi
}
[ -s "$work/approved" ] || { echo "$approved is empty"; status=1; }
compare exported "The symbols of $library"
compare declared "The BNQ_API declarations of the headers"
[ $status = 0 ] && echo "$(wc -l <"$work/approved") exported functions, as approved"
exit $status

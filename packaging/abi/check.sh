#!/usr/bin/env bash
# Whether libbnq keeps what the ABI's first release promised: additions pass, anything else
# fails. capi/README.md has the policy.
#
# usage: check.sh [LIBRARY]   build/libbnq.so by default
#        check.sh --write     makes the tree's ABI the promised one: until that is 1.0's
#
# BNQ_1.json is capi/abi.json as promised: names, signatures, values of constants.
# BNQ_1.abi is what libabigail sees: sizes, offsets, symbols and their versions. It is of
# what library.py makes of the header; a definition that does not fit its declaration does
# not compile. The library's types are compared, too, where it has debug information (the
# preset dev, Debian's packages).
#
# Exits with 77 where there is no abidiff.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
capi=${BNQ_ABI_CAPI:-$here/../../capi} # tests of this script have others
for tool in abidw abidiff; do
  command -v $tool >/dev/null ||
    { echo "there is no $tool (Debian: abigail-tools; Fedora: libabigail)" >&2; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

promised=${BNQ_ABI_PROMISED:-$here} # theirs, too
# Whether it is frozen: what is promised is a 1.0 or later.
frozen() { grep -q '"BNQ_VERSION_MAJOR": [1-9]' "$promised/BNQ_1.json"; }
version=$(awk '$2 == "BNQ_ABI_VERSION" { print $3 }' "$capi/include/bnq/bnq.h")
"$here/library.py" "$capi/abi.json" >"$work/library.c"
"${CC:-cc}" -w -g -O0 -shared -fPIC -DBNQ_BUILDING -I"$capi/include" "$work/library.c" \
  -Wl,--version-script="$capi/libbnq.map" -Wl,-soname,"libbnq.so.$version" \
  -o "$work/libbnq.so"
if [ "${1:-}" = --write ]; then
  if frozen; then
    echo "the ABI of $promised/BNQ_1.json is released, and stays as it is" >&2
    exit 1
  fi
  abidw --no-corpus-path --no-comp-dir-path --no-show-locs "$work/libbnq.so" \
    >"$promised/BNQ_1.abi"
  cp "$capi/abi.json" "$promised/BNQ_1.json"
  exit
fi

status=0
"$here/compare.py" "$promised/BNQ_1.json" "$capi/abi.json" || status=1
# compare WHAT LIBRARY
compare() {
  if abidiff --no-added-syms "$promised/BNQ_1.abi" "$2" >"$work/log"; then
    echo "$1: as promised"
  else
    echo "$1 breaks the promise:"
    cat "$work/log"
    status=1
  fi
}
compare "the header" "$work/libbnq.so"
library=${1:-$here/../../build/libbnq.so}
compare "$library" "$library"

# What came after it is frozen has a version of its own, so that an older library refuses a
# program by it when it is loaded, and Debian's symbols file knows what to depend on.
if frozen; then
  late=$(nm -D --defined-only "$work/libbnq.so" | sed -n 's/.* \(bnq_[a-z0-9_]*\)@@BNQ_1$/\1/p' |
    while read -r name; do
      grep -q "\"name\": \"$name\"" "$promised/BNQ_1.json" || echo "$name"
    done)
  if [ -n "$late" ]; then
    echo "capi/libbnq.map: newer than 1.0, but in the node BNQ_1:" $late
    status=1
  fi
fi
exit $status

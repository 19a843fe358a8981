#!/usr/bin/env bash
# That check.sh sees what breaks the ABI, and lets pass what does not: each change is made to
# a copy of capi/. Prints TAP. Exits with 77 where there is no abidiff.
#
# usage: test_check.sh [LIBRARY]   build/libbnq.so by default
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
capi=$here/../../capi
library=$(realpath "${1:-$here/../../build/libbnq.so}")
command -v abidiff >/dev/null || exit 77
. "$here/../tap.sh"

# expect STATUS TEXT NAME SED_SCRIPT [FILE]: how check.sh ends, and what it says, when the
# file of capi/ (bnq.h) is changed so.
expect() {
  local status=0 file=$work/capi/${5:-include/bnq/bnq.h}
  rm -rf "$work/capi"
  mkdir "$work/capi"
  cp -r "$capi/include" "$capi/abi.py" "$capi/libbnq.map" "$work/capi"
  sed -i -E "$4" "$file"
  cmp -s "$file" "$capi/${5:-include/bnq/bnq.h}" && echo "# nothing was changed"
  { "$work/capi/abi.py" &&
    BNQ_ABI_CAPI=$work/capi BNQ_ABI_PROMISED=${promised:-$here} \
      "$here/check.sh" "${checked:-$library}"; } \
    >"$work/log" 2>&1 || status=$?
  if [ $status -eq "$1" ] && grep -q -E -e "$2" "$work/log"; then
    echo "ok - $3"
  else
    echo "not ok - $3 (exit status $status, expected $1 and '$2')"
    sed 's/^/#   /' "$work/log"
    failures=$((failures + 1))
  fi
}

expect 0 'things added' "the tree keeps its promises" '1s/$/ /'
expect 0 ' 2 things added' "a function and a constant may be added" \
  's/^(BNQ_API uint32_t )bnq_version\(.*/&\n\1bnq_added(void);\nenum { BNQ_ADDED = 1 };/'
expect 0 ' 0 things added' "a release has another version" \
  's/(define BNQ_VERSION_PATCH) 0/\1 9/'
expect 1 'function bnq_version is gone' "a function goes" '/^BNQ_API .*bnq_version\(/d'
expect 1 'function bnq_abi_version was' "a function returns another type" \
  's/^BNQ_API uint32_t (bnq_abi_version)/BNQ_API uint64_t \1/'
expect 1 'struct bnq_array was' "a struct has a field more" \
  's/^} bnq_array;/  int32_t more;\n&/'
expect 1 'type size changed' "a struct's size is seen by libabigail, too" \
  's/^} bnq_array;/  int64_t more;\n&/'
expect 1 'constant BNQ_DTYPE_BF16 was 3' "a constant has another value" \
  's/(BNQ_DTYPE_BF16 =) 3/\1 333/'
expect 1 'macro BNQ_MAX_RANK was 8' "a limit has another value" \
  's/(define BNQ_MAX_RANK) 8/\1 4/'
expect 1 'bnq_version@@BNQ_1' "a symbol has another version" 's/BNQ_1/BNQ_2/' libbnq.map

# As after 1.0 is released.
mkdir "$work/released"
cp "$here/BNQ_1.abi" "$work/released"
sed 's/"BNQ_VERSION_MAJOR": 0/"BNQ_VERSION_MAJOR": 1/' "$here/BNQ_1.json" \
  >"$work/released/BNQ_1.json"
add='s/^(BNQ_API uint32_t )bnq_version\(.*/&\n\1bnq_added(void);/'
promised=$work/released expect 1 'node BNQ_1: bnq_added$' "after 1.0 a function needs a node" "$add"
promised=$work/released expect 0 ' 0 things added' "after 1.0 the tree keeps its promises" '1s/$/ /'
refused() { ! BNQ_ABI_PROMISED=$work/released "$here/check.sh" --write 2>"$work/log"; }
if refused && grep -q released "$work/log"; then
  echo "ok - after 1.0 what is promised cannot be written anew"
else
  echo "not ok - after 1.0 what is promised was written anew"
  failures=$((failures + 1))
fi

# What the library itself lacks, though the header is as it was.
"$here/library.py" "$capi/abi.json" | grep -v ' bnq_version(' >"$work/library.c"
"${CC:-cc}" -w -shared -fPIC -DBNQ_BUILDING -I"$capi/include" "$work/library.c" \
  -Wl,--version-script="$capi/libbnq.map" -Wl,-soname,libbnq.so.1 -o "$work/lacks.so"
checked=$work/lacks.so \
  expect 1 'bnq_version@@BNQ_1' "the library lacks a function" '1s/$/ /'
exit $((failures > 0))

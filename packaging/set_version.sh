#!/usr/bin/env bash
# Writes a version into each file that has one: packaging/VERSION and what CMake and
# check_install.sh compare with it. CHANGELOG.md is for people to write.
#
# usage: set_version.sh MAJOR.MINOR.PATCH
set -eu -o pipefail
cd "$(dirname "$0")/.."
[[ ${1:-} =~ ^([0-9]+)\.([0-9]+)\.([0-9]+)$ ]] ||
  { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }
new=$1 old=$(cat packaging/VERSION)
parts=("${BASH_REMATCH[@]}")
text=${old//./\\.}

echo "$new" >packaging/VERSION
sed -i -E "s/^(#define BNQ_VERSION_MAJOR) .*/\1 ${parts[1]}/
  s/^(#define BNQ_VERSION_MINOR) .*/\1 ${parts[2]}/
  s/^(#define BNQ_VERSION_PATCH) .*/\1 ${parts[3]}/" capi/include/bnq/bnq.h
capi/abi.py
sed -i "s/^version = \"$text\"/version = \"$new\"/
  /^bitnet-quant.*path = /s/version = \"$text\"/version = \"$new\"/" bindings/rust/*/Cargo.toml
sed -i -E "s/^(pub const BNQ_VERSION_MAJOR: u32 =) .*/\1 ${parts[1]};/
  s/^(pub const BNQ_VERSION_MINOR: u32 =) .*/\1 ${parts[2]};/
  s/^(pub const BNQ_VERSION_PATCH: u32 =) .*/\1 ${parts[3]};/" \
  bindings/rust/bitnet-quant-sys/src/ids.rs
sed -i "s/^__version__ = \"$text\"/__version__ = \"$new\"/" \
  bindings/python/src/bitnet_quant/__init__.py
sed -i "s/\"version\": \"$text\"/\"version\": \"$new\"/" packaging/vcpkg/*/vcpkg.json

changelog=packaging/debian/changelog
if ! head -n 1 $changelog | grep -q "^bitnet-quant ($new-"; then
  maintainer=$(sed -n 's/^Maintainer: //p' packaging/debian/control)
  {
    printf 'bitnet-quant (%s-1) unstable; urgency=medium\n\n  * New release.\n\n' "$new"
    printf ' -- %s  %s\n\n' "$maintainer" "$(LC_ALL=C date -uR)"
    cat $changelog
  } >$changelog.new
  mv $changelog.new $changelog
fi
# What a program that uses the ABI depends on: a snapshot itself, or the first release of it.
since=$new
[ "${parts[1]}" -gt 0 ] && since=${parts[1]}.0.0
sed -i -E "s/^( \(symver\)BNQ_${parts[1]/#0/1}) .*/\1 $since/" packaging/debian/libbnq1.symbols
git --no-pager diff --stat

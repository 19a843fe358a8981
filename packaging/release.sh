#!/usr/bin/env bash
# Makes a release: every package of a commit that can be made here, a software bill of
# materials (SPDX), SHA256SUMS. What cannot be made here is named, with the reason. Nothing of
# this machine may be inside. README.md says how it is reproducible.
#
# usage: release.sh [--check] [--require-all] OUT_DIR   (new or empty)
#
# --check        makes it a second time, in another folder: the same bytes, or an error
# --require-all  what cannot be made here is an error
# BNQ_COMMIT is the commit (HEAD); BNQ_RELEASE_PARTS are the parts to make (all).
set -eu -o pipefail
umask 022
root=$(cd "$(dirname "$0")/.." && pwd)
check=false require_all=false out=
for argument; do
  case $argument in
    --check) check=true ;;
    --require-all) require_all=true ;;
    -*) sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2 ;;
    *) out=$argument ;;
  esac
done
[ -n "$out" ] || { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -z "$(ls -A "$out")" ] || { echo "$out is not empty" >&2; exit 2; }
commit=$(git -C "$root" rev-parse --verify "${BNQ_COMMIT:-HEAD}^{commit}")
version=$(git -C "$root" show "$commit:packaging/VERSION")
work=$(mktemp -d "${TMPDIR:-/tmp}/bnq-release.XXXXXX")
trap 'rm -rf "$work"' EXIT

# In order: those that others carry come first. A package's script takes the folder that its
# packages go to, and exits with 77, saying why, where it cannot work.
parts=(source library-x86_64 library-aarch64 library-windows debian python nuget crates windows)
script() {
  case $1 in
    library-windows) echo packaging/platforms/windows.sh ;;
    library-*) echo packaging/portable.sh "${1#library-}" ;;
    *) echo "packaging/$1/build.sh" "$packages" ;;
  esac
}

make_source() {
  local name=bitnet-quant-$version
  git -c tar.umask=0022 archive --format=tar --prefix="$name/" "$commit" |
    gzip -9n >"$packages/$name-source.tar.gz"
}

# make_part NAME: in the clone.
make_part() {
  local command
  if [ "$1" = source ]; then
    make_source
    return
  fi
  read -ra command <<<"$(script "$1")"
  if ! [ -x "${command[0]}" ]; then
    echo "there is no ${command[0]}"
    return 77
  fi
  if [ "$1" = library-aarch64 ] && ! [ -d "$BNQ_ARM64_ROOT" ]; then
    echo "there is no $BNQ_ARM64_ROOT, which packaging/test_arm64.sh makes"
    return 77
  fi
  "${command[@]}"
}

# make_release FOLDER: the clone in FOLDER/tree, the release in FOLDER/packages.
make_release() {
  local tree=$1/tree part status log
  packages=$1/packages
  mkdir -p "$packages" "$1/logs"
  git clone --quiet --no-checkout "$root" "$tree"
  cd "$tree"
  git checkout --quiet --detach "$commit"
  # No path of this machine in the code; what is compiled once may be found by ccache.
  export CFLAGS="-ffile-prefix-map=$tree=.${highway:+ -ffile-prefix-map=$highway=highway}"
  export CXXFLAGS=$CFLAGS CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1
  for part in ${BNQ_RELEASE_PARTS:-"${parts[@]}"}; do
    status=0 log=$1/logs/$part.log
    make_part "$part" >"$log" 2>&1 </dev/null || status=$?
    case $status in
      0) echo "made: $part" ;;
      77)
        echo "*** NOT MADE: $part: $(tail -n 1 "$log")"
        left_out=$((left_out + 1))
        ;;
      *)
        tail -n 60 "$log" >&2
        echo "$part failed (exit status $status)" >&2
        exit 1
        ;;
    esac
  done
  packaging/release/sbom.py "$packages" >"$1/sbom"
  mv "$1/sbom" "$packages/bitnet-quant-$version.spdx.json"
  (cd "$packages" && LC_ALL=C sha256sum -- * >"$1/sums" && mv "$1/sums" SHA256SUMS)
  local names=("$1" "$work" "$root") name
  for name in "$HOME" "$(id -un)" "$(uname -n)"; do
    # A word that the source has, such as root, says nothing of a machine.
    if git grep -I -q -w -F -e "$name"; then
      echo "not looked for in the packages: '$name', which the source has"
    else
      names+=("$name")
    fi
  done
  log=$1/logs/leaks.log
  packaging/release/leaks.py "$packages" "${names[@]}" >"$log" || { cat "$log" >&2; exit 1; }
  tail -n 1 "$log"
}

SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH TZ=UTC
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS:-nocheck} # what is released was tested before
export BNQ_ARM64_ROOT=${BNQ_ARM64_ROOT:-$root/build-arm64/root}
# The same source of Highway for all libraries.
mkdir -p "$root/build"
highway=$("$root/packaging/portable/highway_source.sh" "$root/build/highway")
export BNQ_HIGHWAY_SOURCE=$highway
left_out=0
make_release "$work/release"
if $require_all && [ $left_out -gt 0 ]; then
  echo "$left_out parts were not made" >&2
  exit 1
fi
if $check; then
  # A path of another length, in another minute.
  (make_release "$work/another-folder") >"$work/second.log" || { cat "$work/second.log"; exit 1; }
  diff -r "$work/release/packages" "$work/another-folder/packages" ||
    { echo "made twice, the packages differ" >&2; exit 1; }
  echo "made twice, the same bytes"
fi
cp "$work/release/packages"/* "$out"
ls -l "$out"
[ $left_out -eq 0 ] || echo "*** $left_out parts were not made; see above"

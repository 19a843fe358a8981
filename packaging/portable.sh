#!/usr/bin/env bash
# Builds build-portable-ARCH/libbnq.so, which needs the C library alone and runs on every
# Linux distribution that is not ancient: the library that wheels, NuGet packages and
# releases carry. Prints the oldest system as a manylinux tag. README.md has how.
#
# usage: portable.sh [--objects BUILD] [x86_64|aarch64]   (this machine's CPU by default)
#
# --objects takes what another build of the same CPU has compiled, and links it.
set -eu -o pipefail
. "$(dirname "$0")/common.sh"
arch=$(uname -m)
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --objects) options+=("-DBNQ_LIBRARY_OBJECTS=$(realpath "$2")"); shift ;;
    x86_64 | aarch64) arch=$1 ;;
    *) sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2 ;;
  esac
  shift
done
tree=$root/build-portable-$arch
# Two phases of test.sh may want it at once.
mkdir -p "$tree"
if command -v flock >/dev/null; then
  exec 9>"$tree/lock"
  flock 9
fi

highway=$(packaging/portable/highway_source.sh "$tree")
[ -n "$highway" ] && options+=("-DFETCHCONTENT_SOURCE_DIR_HIGHWAY=$highway")
if [ "$arch" != "$(uname -m)" ]; then
  # What packaging/test_arm64.sh has unpacked there.
  options+=("-DCMAKE_TOOLCHAIN_FILE=$root/packaging/cmake/$arch.cmake"
    "-DBNQ_ARM64_ROOT=$(realpath "${BNQ_ARM64_ROOT:-$root/build-arm64/root}")")
fi
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
{
  cmake -S "$root" -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBNQ_SELF_CONTAINED=ON \
    -DBNQ_FETCH_HIGHWAY=ON -DBNQ_BUILD_CLI=OFF -DBNQ_BUILD_TESTS=OFF -DBNQ_BUILD_BENCH=OFF \
    -DBNQ_LIBRARY_OBJECTS= --log-level=WARNING "${options[@]}"
  cmake --build "$tree" --parallel "$(nproc)" --target bnq
} >&2
packaging/portable/check.py "$tree/libbnq.so"

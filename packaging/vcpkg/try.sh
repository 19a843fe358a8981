#!/usr/bin/env bash
# Builds the port by vcpkg's own scripts, from a checkout of vcpkg, with the system's packages
# in place of the ports that it depends on; neither the program vcpkg nor a network is needed.
# Then tests/consumer is built with what came out.
#
# usage: [FEATURES=tools] try.sh VCPKG_ROOT [OPTION_OF_CMAKE...]   (for the port's own build)
set -eu -o pipefail
vcpkg=$(realpath "$1")
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=x64-linux
[ "$(uname -m)" = aarch64 ] && host=arm64-linux
features="core;${FEATURES-tools}"
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
for linkage in static dynamic; do
  triplet=$work/$host.cmake
  sed "s/VCPKG_LIBRARY_LINKAGE .*/VCPKG_LIBRARY_LINKAGE $linkage)/" \
    "$vcpkg/triplets/$host.cmake" >"$triplet"
  # No debug build, and no patchelf, which vcpkg would download.
  printf 'set(VCPKG_BUILD_TYPE release)\nset(VCPKG_FIXUP_ELF_RPATH OFF)\n' >>"$triplet"
  [ $# -eq 0 ] || echo "set(VCPKG_CMAKE_CONFIGURE_OPTIONS $*)" >>"$triplet"
  out=$work/$linkage
  log=$work/log
  if ! cmake -DCMD=BUILD -DVCPKG_BASE_VERSION=2099-12-31 -DPORT=bitnet-quant \
    -DVERSION="$(cat "$root/packaging/VERSION")" \
    -DCURRENT_PORT_DIR="$root/packaging/vcpkg/bitnet-quant" "-DFEATURES=$features" \
    "-DALL_FEATURES=$features" -DTARGET_TRIPLET=$host -DTARGET_TRIPLET_FILE="$triplet" \
    -D_HOST_TRIPLET=$host -DVCPKG_ROOT_DIR="$vcpkg" -DDOWNLOADS="$work/downloads" \
    -D_VCPKG_INSTALLED_DIR="$work/installed" -DCURRENT_BUILDTREES_DIR="$work/tree-$linkage" \
    -DCURRENT_PACKAGES_DIR="$out" -DBUILDTREES_DIR="$work" -DPACKAGES_DIR="$work" \
    -DVCPKG_CONCURRENCY="$(nproc)" -DNINJA="$(command -v ninja)" -DZ_VCPKG_CHAINLOAD= \
    "-DVCPKG_PORT_CONFIGS=$vcpkg/ports/vcpkg-cmake/vcpkg-port-config.cmake;$(
      )$vcpkg/ports/vcpkg-cmake-config/vcpkg-port-config.cmake" \
    -P "$vcpkg/scripts/ports.cmake" >"$log" 2>&1; then
    tail -n 40 "$log"
    tail -n 20 "$work/tree-$linkage"/*.log 2>/dev/null
    exit 1
  fi
  grep -i warning "$log" || true
  (cd "$out" && find . ! -type d | sort)
  if [ -n "${FEATURES-tools}" ]; then "$out/tools/bitnet-quant/bnq" info | head -n 1; fi
  cmake -S "$root/tests/consumer" -B "$work/consumer-$linkage" -G Ninja --log-level=ERROR \
    -DCMAKE_PREFIX_PATH="$out" -Dbnq_DIR="$out/share/bnq" >"$log" &&
    cmake --build "$work/consumer-$linkage" >"$log" && "$work/consumer-$linkage/consumer"
done

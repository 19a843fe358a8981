#!/usr/bin/env bash
# Builds for 64-bit Arm with Debian's cross compiler and runs tests under
# qemu-user, which has NEON with the extensions dotprod and i8mm. Debian and
# Ubuntu only; as root where something is missing.
#
# usage: test_arm64.sh [GTEST_FILTER]   (default: the operators; '*' takes long)
set -eu
. "$(dirname "$0")/common.sh"
filter=${1:-Linear*:Convolution*:Embedding*:Function*:Normal*:Activation*}
build=$root/build-arm64
sysroot=$build/root
mkdir -p "$sysroot"

missing=()
for package in g++-aarch64-linux-gnu qemu-user-static nlohmann-json3-dev cmake ninja-build; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}"
if ! [ -e "$sysroot/complete" ]; then
  # Unpacked beside the system's own, which stays as it is.
  if ! dpkg --print-foreign-architectures | grep -qx arm64; then
    dpkg --add-architecture arm64
    apt-get update
  fi
  (cd "$build" && apt-get download libhwy1:arm64 libhwy-dev:arm64 zlib1g:arm64 \
    zlib1g-dev:arm64 libgtest-dev:arm64 googletest nlohmann-json3-dev)
  for package in "$build"/*.deb; do dpkg -x "$package" "$sysroot"; done
  touch "$sysroot/complete"
fi

if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig:$sysroot/usr/share/pkgconfig
export PKG_CONFIG_SYSROOT_DIR=$sysroot
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_TOOLCHAIN_FILE="$root/packaging/cmake/aarch64.cmake" \
  -DBNQ_ARM64_ROOT="$sysroot" -DBNQ_BUILD_CLI=OFF -DBNQ_BUILD_BENCH=OFF \
  -DBNQ_TEST_EMU128=OFF --log-level=WARNING
cmake --build "$build" --parallel "$(nproc)" --target bnq_tests
exec qemu-aarch64-static -cpu max -L /usr/aarch64-linux-gnu \
  -E LD_LIBRARY_PATH="$sysroot/usr/lib/aarch64-linux-gnu" \
  "$build/tests/bnq_tests" --gtest_filter="$filter"

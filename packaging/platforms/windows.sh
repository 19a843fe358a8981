#!/usr/bin/env bash
# Builds for 64-bit Windows with mingw-w64, in build-windows/: bnq.dll and its import library
# libbnq.dll.a there, bnq.exe in bindings/cli/; and checks the DLL. Debian and Ubuntu only; as
# root where something is missing.
#
# usage: windows.sh [--library]   (bnq.dll alone)
set -eu -o pipefail
. "$(dirname "$0")/../common.sh"
targets=(bnq bnq_cli)
case ${1:-} in
  '') ;;
  --library) targets=(bnq) ;;
  *) sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2 ;;
esac
tree=$root/build-windows
libraries=$tree/root

packages=(cmake ninja-build g++-mingw-w64-x86-64-posix libz-mingw-w64-dev libhwy-dev
  nlohmann-json3-dev libcli11-dev dpkg-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
fi
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_SLOPPINESS=pch_defines,time_macros
fi

# The libraries of headers alone, apart from the other headers of this system.
mkdir -p "$libraries/include" "$libraries/share/cmake"
cp -ru /usr/include/nlohmann /usr/include/CLI "$libraries/include"
cp -ru /usr/share/cmake/nlohmann_json /usr/share/cmake/CLI11 "$libraries/share/cmake"
highway=$(packaging/portable/highway_source.sh "$tree")
toolchain=(-DCMAKE_TOOLCHAIN_FILE="$root/packaging/cmake/windows.cmake"
  -DBNQ_WINDOWS_ROOT="$libraries" -DCMAKE_BUILD_TYPE=Release --log-level=WARNING)
cmake -S "$root" -B "$tree" -G Ninja "${toolchain[@]}" \
  -DBNQ_SELF_CONTAINED=ON -DBNQ_FETCH_HIGHWAY=ON \
  ${highway:+-DFETCHCONTENT_SOURCE_DIR_HIGHWAY="$highway"} \
  -DBNQ_BUILD_TESTS=OFF -DBNQ_BUILD_BENCH=OFF
cmake --build "$tree" --parallel "$(nproc)" --target "${targets[@]}"
packaging/platforms/windows/check_dll.py "$tree/bnq.dll" capi/exports.txt

#!/usr/bin/env bash
# Lets Clang's libFuzzer look for model files on which reading goes wrong, under the address
# and undefined-behaviour sanitizers, starting from the golden files. What it finds is left in
# build-fuzz/found; what it learned, in build-fuzz/corpus for the next time.
#
# usage: fuzz.sh [SECONDS]   (default: 300)
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-300}
. packaging/common.sh

if ! command -v clang++ >/dev/null; then
  echo "installing clang"
  apt-get install -y --no-install-recommends clang libclang-rt-14-dev >/dev/null
fi
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
cmake --preset fuzz -DBNQ_FETCH_HIGHWAY=ON --log-level=WARNING
cmake --build build-fuzz --parallel "$(nproc)" --target bnq_fuzz
out=build-fuzz
mkdir -p $out/corpus $out/found
"$(find_python json)" tests/fuzz/seeds.py $out/seeds
# Memory that a file asks for beyond its size would be a fault: the limit is small.
exec $out/tests/bnq_fuzz -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 \
  -print_final_stats=1 -artifact_prefix=$out/found/ $out/corpus $out/seeds

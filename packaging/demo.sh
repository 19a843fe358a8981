#!/usr/bin/env bash
# Installs what is missing, builds the library and the command line, and shows
# the whole way of a real model: quantize, look at what it cost, dequantize, and
# classify held-out images with the result.
set -eu -o pipefail
. "$(dirname "$0")/common.sh"

echo "== Building (the first time takes some minutes)"
packaging/install_deps.sh --no-bindings
build_project bnq bnq_cli
python=$(find_python numpy)
bnq=$build/bindings/cli/bnq
model=tests/models/digits.safetensors
out=build/demo
mkdir -p "$out"

run() {
  echo
  echo "\$ bnq $*"
  "$bnq" "$@"
}

run info
for format in int8 ternary; do
  run quantize "$model" -o "$out/digits-$format.bnq" --format "$format" --force
  run verify "$out/digits-$format.bnq"
  run dequantize "$out/digits-$format.bnq" -o "$out/digits-$format.safetensors" --force
done

echo
echo "== Bytes of the files"
wc -c "$model" "$out"/*.bnq | grep -v total

echo
echo "== Held-out handwritten digits classified correctly, before and after"
"$python" tests/models/digits.py "$model" "$out/digits-int8.safetensors" \
  "$out/digits-ternary.safetensors"

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
set --

run() {
  echo
  echo "\$ bnq $*"
  "$bnq" "$@"
}

run info
presets="int8_per_group_128 int4_per_group_32 nf4_double_quant ternary_per_group_128 aggressive"
for preset in $presets; do
  run quantize "$model" -o "$out/$preset.bnq" --preset "$preset" --force
  run verify "$out/$preset.bnq"
  run dequantize "$out/$preset.bnq" -o "$out/$preset.safetensors" --force
done

echo
echo "== Bytes of the files"
for preset in $presets; do set -- "$@" "$out/$preset.bnq"; done
wc -c "$model" "$@" | grep -v total

echo
echo "== Held-out handwritten digits classified correctly, before and after"
set --
for preset in $presets; do set -- "$@" "$out/$preset.safetensors"; done
"$python" tests/models/digits.py "$model" "$@"

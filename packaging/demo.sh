#!/usr/bin/env bash
# Installs what is missing, builds the library and the command line, and shows
# the whole way of a real model: quantize, look at what it cost, dequantize, and
# classify held-out images with the result; and without dequantizing, in integers, in C
# and in Python (test.sh has Rust and C# do it, too).
set -eu -o pipefail
. "$(dirname "$0")/common.sh"

echo "== Building (the first time takes some minutes)"
packaging/install_deps.sh --no-bindings
build_project bnq bnq_cli bnq_classify
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
echo "== A config for each layer: what each loses under six candidates, and the plan of least"
echo "   loss for 4.5 bits a weight"
run analyze "$model" -o "$out/sensitivity.json" --force --quiet
run analyze "$out/sensitivity.json" --target-bits 4.5 --save-plan "$out/plan.txt" --force
run quantize "$model" -o "$out/mixed.bnq" --plan "$out/plan.txt" --force
run dequantize "$out/mixed.bnq" -o "$out/mixed.safetensors" --force --quiet
presets="$presets mixed"

echo
echo "== Ternary, as above, but trained so (tests/models/train_ternary.py)"
cp tests/models/digits_ternary.bnq "$out/ternary_trained.bnq"
run dequantize "$out/ternary_trained.bnq" -o "$out/ternary_trained.safetensors" --force
presets="$presets ternary_trained"

echo
echo "== Bytes of the files"
for preset in $presets; do set -- "$@" "$out/$preset.bnq"; done
wc -c "$model" "$@" | grep -v total

echo
echo "== Held-out handwritten digits classified correctly, before and after"
set --
for preset in $presets; do set -- "$@" "$out/$preset.safetensors"; done
"$python" tests/models/digits.py "$model" "$@"

echo
echo "== The same images, by int8 activations and the weights where the files are mapped"
images=tests/models/digits_test.safetensors
set --
for preset in $presets; do set -- "$@" "$out/$preset.bnq"; done
export BNQ_LIBRARY=$build/libbnq.so PYTHONPATH=bindings/python/src
echo "Python (floats: numpy)     correct        time   output"
"$python" bindings/python/examples/classify.py "$images" "$model" "$@" | tee "$out/python.txt"
echo "C"
"$build/tests/bnq_classify" "$images" "$@" | tee "$out/c.txt"
same_outputs "$out/python.txt" "$out/c.txt" || { echo "other outputs"; exit 1; }

#!/usr/bin/env bash
# A wheel on an old system: Debian 11, whose glibc is 2.31, unpacked by debootstrap. As root,
# on a Debian of the same CPU.
#
# usage: check_old.sh WHEEL
set -eu -o pipefail
unset BNQ_LIBRARY LD_LIBRARY_PATH PYTHONPATH
wheel=$(realpath "$1")
. "$(dirname "$0")/../common.sh"
old=$root/build/debian11
if ! [ -e "$old/complete" ]; then
  command -v debootstrap >/dev/null || apt-get install -y --no-install-recommends debootstrap
  rm -rf "$old"
  debootstrap --variant=minbase --include=python3-minimal,python3-numpy,python3-pip \
    bullseye "$old"
  touch "$old/complete"
fi
rm -rf "$old/wheel"
mkdir "$old/wheel"
cp "$wheel" bindings/python/examples/{quantize_model,classify}.py \
  tests/models/digits{,_test}.safetensors "$old/wheel"
chroot "$old" sh -eu -c '
  cd /wheel
  python3 -m pip install --no-index --force-reinstall --no-deps ./*.whl # its numpy is 1.19
  mv ./*.whl /tmp
  python3 -m bitnet_quant
  python3 quantize_model.py digits.safetensors -o model.bnq
  python3 classify.py digits_test.safetensors model.bnq
  # Threads come and go, and an exception of C++ finds its handler.
  python3 -c "
import bitnet_quant as bq, numpy
weights = numpy.ones((512, 1024), numpy.float32)
print(bq.quantize(weights, \"nf4\", context=bq.Context(threads=4)).bits_per_weight)
try:
    bq.open_file(\"nowhere.bnq\")
except bq.MissingFileError as error:
    print(error)
"
  python3 -m pip uninstall --yes bitnet-quant'

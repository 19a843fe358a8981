#!/usr/bin/env bash
# The Python package as a user has it: the wheel and the sdist are built twice, looked into,
# installed in a clean environment without a network, run, and removed. Prints TAP, and
# exits with 1 if anything is not ok.
#
# usage: check.sh [--long] [BUILD_DIR]
#
# The library is linked from the objects in BUILD_DIR (build/). With --long the sdist also
# compiles it, as it does for users, and the wheel runs on Debian 11 (glibc 2.31) as well.
set -u -o pipefail
long=false
[ "${1:-}" = --long ] && { long=true; shift; }
objects=$(realpath "${1:-$(dirname "$0")/../../build}")
. "$(dirname "$0")/../common.sh"
. packaging/tap.sh
unset BNQ_LIBRARY LD_LIBRARY_PATH PYTHONPATH
python=$(find_python numpy setuptools wheel pip) || exit 2
version=$(cat packaging/VERSION)
library=$root/build-portable-$(uname -m)/libbnq.so

[ -e "$library" ] || check "self-contained library" packaging/portable.sh --objects "$objects"
check "wheel and sdist" packaging/python/build.sh "$work/first" "$library"
again() {
  (umask 077 && packaging/python/build.sh "$work/second" "$library") &&
    diff -r "$work/first" "$work/second"
}
check "built again, the same bytes" again
wheel=$(echo "$work"/first/*.whl)
sdist=$work/first/bitnet_quant-$version.tar.gz
echo "# $(basename "$wheel"): $(stat -c %s "$wheel") bytes"
check "the wheel has what its name and RECORD say" packaging/python/check_wheel.py "$wheel"

# environment NAME: a clean one, with numpy alone.
environment() {
  local site
  "$python" -m venv --without-pip "$work/$1" || return
  site=$(echo "$work/$1"/lib/python3*/site-packages)
  "$python" - "$site" <<'END'
import importlib.metadata, pathlib, sys
numpy = importlib.metadata.distribution("numpy")
folder = pathlib.Path(numpy.locate_file("")).resolve()
for path in [*folder.glob("numpy"), *folder.glob("numpy.libs"), *folder.glob("numpy-*-info")]:
    (pathlib.Path(sys.argv[1]) / path.name).symlink_to(path)
END
}
# pip_in NAME ARGUMENT...
pip_in() {
  "$python" -m pip --disable-pip-version-check --python "$work/$1/bin/python" "${@:2}"
}
# python_in NAME ARGUMENT...: far from the checkout.
python_in() {
  mkdir -p "$work/$1.out"
  (cd "$work/$1.out" && "$work/$1/bin/python" "${@:2}")
}
# diagnosis NAME: it loads its own library, the first that is looked for.
diagnosis() {
  local out
  out=$(python_in "$1" -m bitnet_quant) || return
  echo "$out"
  grep -E "^file +$work/$1/lib/python3[^ ]*/bitnet_quant/lib/libbnq.so\$" <<<"$out" &&
    grep -E "^library +libbnq $version, ABI" <<<"$out" && grep -E "^target .*: in use" <<<"$out"
}
# The program of README.md.
readme() {
  awk '/^## / { here = $2 == "Python" } /^```/ { code = !code; next } here && code' \
    README.md >"$work/readme.py"
  grep -q quantize_file "$work/readme.py" && python_in "$1" "$work/readme.py"
}
examples() {
  local models=$root/tests/models images
  images=$models/digits_test.safetensors
  python_in "$1" "$root/bindings/python/examples/quantize_model.py" \
    "$models/digits.safetensors" -o model.bnq || return
  python_in "$1" "$root/bindings/python/examples/classify.py" "$images" model.bnq
}
removed() {
  pip_in "$1" uninstall --yes bitnet-quant || return
  ! find "$work/$1" -name '*bitnet*' | grep .
}

check "a clean environment" environment wheel
check "the wheel installs" pip_in wheel install --no-index "$wheel"
check "python -m bitnet_quant" diagnosis wheel
check "the program of README.md" readme wheel
check "the examples" examples wheel
without_library() {
  local out
  rm "$work"/wheel/lib/python3*/site-packages/bitnet_quant/lib/libbnq.so
  out=$(python_in wheel -m bitnet_quant 2>&1) && return 1
  echo "$out"
  grep "site-packages/bitnet_quant/lib/libbnq.so: no such file" <<<"$out" &&
    grep -E "^ +libbnq.so.[0-9]+: " <<<"$out"
}
check "without its library the diagnosis says what was tried" without_library
check "the wheel is removed without a trace" removed wheel

# from_source NAME [OPTION_OF_CMAKE...]
from_source() {
  environment "$1" || return
  ln -s "$("$python" -c 'import os, setuptools; print(os.path.dirname(setuptools.__path__[0]))')" \
    "$work/$1.tools"
  PYTHONPATH=$work/$1.tools CMAKE_ARGS="${*:2}" \
    pip_in "$1" install --no-index --no-build-isolation "$sdist" &&
    diagnosis "$1" && removed "$1"
}
check "the sdist installs" from_source sdist "-DBNQ_LIBRARY_OBJECTS=$objects"
if $long; then
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  check "the sdist compiles the library" from_source compiled
  check "the wheel runs on Debian 11" packaging/python/check_old.sh "$wheel"
fi
exit $((failures > 0))

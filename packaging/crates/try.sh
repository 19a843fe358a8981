#!/usr/bin/env bash
# The crates as a user has them: packaged twice, unpacked into a registry of their own, and used
# from there by a program, without a network: linked, loaded when it runs, and documented where
# there is no library. Prints TAP, and exits with 1 if anything is not ok.
#
# usage: try.sh [--long] [BUILD_DIR]
#
# The library is the shared one in BUILD_DIR (build/). With --long the program also compiles it
# from bitnet-quant-src (feature vendored), which takes minutes.
set -u -o pipefail
long=false
[ "${1:-}" = --long ] && { long=true; shift; }
build_dir=$(realpath "${1:-$(dirname "$0")/../../build}")
. "$(dirname "$0")/../common.sh"
. packaging/tap.sh
unset BNQ_LIBRARY BNQ_LIB_DIR LD_LIBRARY_PATH
cargo=$root/packaging/crates/cargo.sh
version=$(cat packaging/VERSION)
model=$root/tests/models/digits.safetensors
crates=$work/crates
export CARGO_TARGET_DIR=$work/target

build() {
  BNQ_LIB_DIR=$build_dir BNQ_CRATES_TARGET=$work/$1 packaging/crates/build.sh "$crates/$1"
}
check "cargo packages each crate, and compiles what is in it" build first
again() { (umask 077 && build second) && diff -r "$crates/first" "$crates/second"; }
check "packaged again, the same bytes" again
nothing_of_this_machine() {
  local file word
  mkdir "$work/unpacked"
  for file in "$crates"/first/*.crate; do tar -xzf "$file" -C "$work/unpacked"; done
  for word in "$root" "$HOME" "$work" .cargo_vcs_info; do
    if grep -r -l -F -e "$word" "$work/unpacked"; then return 1; fi
  done
  [ -z "$(find "$work/unpacked" -type l -o -name .cargo_vcs_info.json)" ]
}
check "nothing of this machine is in them" nothing_of_this_machine

# The registry that build.sh has made, with Debian's crates and these; without those, as crates.io
# does not have these yet, there is nothing to use them from.
if [ ! -d "$work/first/registry" ]; then
  echo "# the crates are not used: there is no registry of Debian's"
  exit $((failures > 0))
fi
mkdir -p "$CARGO_TARGET_DIR" "$work/program/src"
cp -a "$work/first/registry" "$CARGO_TARGET_DIR/"
cat >"$work/program/Cargo.toml" <<END
[package]
name = "program"
version = "1.0.0"
edition = "2021"

[features]
load-dynamic = ["bitnet-quant/load-dynamic"]
vendored = ["bitnet-quant/vendored"]

[dependencies]
bitnet-quant = "$version"
END
cp "$work/unpacked/bitnet-quant-$version/examples/quantize_model.rs" "$work/program/src/main.rs"
export BNQ_CARGO_FOLDER=$work/program
# program FEATURES: builds it, and quantizes a model with it in an environment of its own.
program() {
  local features=$1
  shift
  "$cargo" build --quiet --features "$features" || return
  (cd "$work" && env "$@" "$CARGO_TARGET_DIR/debug/program" "$model" "$work/$features.bnq") &&
    cmp "$work/$features.bnq" "$work/.bnq"
}
linked() {
  BNQ_LIB_DIR=$build_dir "$cargo" build --quiet &&
    LD_LIBRARY_PATH=$build_dir "$CARGO_TARGET_DIR/debug/program" "$model" "$work/.bnq"
}
check "a program is linked with the library, and runs" linked

without_library() {
  if PKG_CONFIG_LIBDIR=$work/nowhere "$cargo" build --quiet 2>"$work/errors"; then return 1; fi
  cat "$work/errors"
  grep -q "cannot find libbnq" "$work/errors" && grep -q "tried BNQ_LIB_DIR: not set" "$work/errors"
}
check "without a library the build says what was tried" without_library
if "$cargo" --has libloading; then
  check "loaded when it runs, nothing being linked" program load-dynamic \
    PKG_CONFIG_LIBDIR="$work/nowhere" BNQ_LIBRARY="$build_dir/libbnq.so"
fi
documents() {
  local crate
  for crate in bitnet-quant-sys bitnet-quant; do
    DOCS_RS=1 PKG_CONFIG_LIBDIR=$work/nowhere "$cargo" doc --quiet --no-deps -p "$crate" &&
      [ -f "$CARGO_TARGET_DIR/doc/${crate//-/_}/index.html" ] || return
  done
}
check "documented without a library" documents
if $long && "$cargo" --has cmake; then
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  vendored() { program vendored && ! ldd "$CARGO_TARGET_DIR/debug/program" | grep libbnq; }
  check "compiled from bitnet-quant-src, and linked statically" vendored
fi
exit $((failures > 0))

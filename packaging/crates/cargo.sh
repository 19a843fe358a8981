#!/usr/bin/env bash
# cargo in bindings/rust, with the crates that Debian packages and without a network; where
# Debian's registry does not have what is always needed, cargo as it is.
#
# Cargo resolves optional dependencies though their features are off. Those that the system does
# not have are declared to it without code, in a registry that links to Debian's: the features
# that need them do not compile then, everything else does.
#
# usage: cargo.sh ARGUMENT...      (of cargo; CARGO_TARGET_DIR is honoured)
#        cargo.sh --has CRATE      (whether features that need it can be compiled)
set -eu
rust=$(cd "$(dirname "$0")/../../bindings/rust" && pwd)
system=/usr/share/cargo/registry
installed() { compgen -G "$system/$1-[0-9]*" >/dev/null; }
# name-version, of those that bindings/rust/*/Cargo.toml have as optional dependencies.
optional="cmake-0.1.45 libloading-0.7.0 ndarray-0.15.0 rayon-1.5.0"

debian=false
if installed serde_json && installed pkg-config; then debian=true; fi
if [ "${1:-}" = --has ]; then
  $debian || exit 0
  installed "$2"
  exit
fi
cd "${BNQ_CARGO_FOLDER:-$rust}"
$debian || exec cargo "$@"

registry=${CARGO_TARGET_DIR:-$rust/target}/registry
mkdir -p "$registry"
registry=$(cd "$registry" && pwd)
for link in "$registry"/*; do
  if [ -L "$link" ] && [ ! -e "$link" ]; then rm -f "$link"; fi
done
for crate in "$system"/*; do
  [ -e "$registry/${crate##*/}" ] || ln -sfn "$crate" "$registry/"
done
for crate in $optional; do
  name=${crate%-*}
  folder=$registry/$crate
  if installed "$name"; then
    [ -L "$folder" ] || rm -rf "$folder"
  elif [ ! -e "$folder/.cargo-checksum.json" ]; then
    mkdir -p "$folder/src"
    printf '[package]\nname = "%s"\nversion = "%s"\nedition = "2021"\n' \
      "$name" "${crate##*-}" >"$folder/Cargo.toml"
    echo "compile_error!(\"this system has no crate $name\");" >"$folder/src/lib.rs"
    echo '{"package":null,"files":{}}' >"$folder/.cargo-checksum.json"
  fi
done
exec cargo --offline --config 'source.crates-io.replace-with="system"' \
  --config "source.system.directory=\"$registry\"" "$@"

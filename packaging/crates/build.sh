#!/usr/bin/env bash
# The crates: bitnet-quant-src, with the C++ sources, bitnet-quant-sys and bitnet-quant, each
# packaged by `cargo package` from a copy of the tree, which compiles what is in the package.
# The library that this takes is found as by any build (BNQ_LIB_DIR, pkg-config), or is in build/
# or a build-portable-*/ of this machine's. The same bytes every time. Exits with 77 where it
# cannot work.
#
# usage: build.sh OUT_DIR
set -eu -o pipefail
umask 022
[ $# -eq 1 ] || { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(cat "$root/packaging/VERSION")
command -v cargo >/dev/null || { echo "crates: there is no cargo" >&2; exit 77; }
if [ -z "${BNQ_LIB_DIR:-}" ] && ! pkg-config --exists bnq; then
  for folder in "$root/build-portable-$(uname -m)" "$root/build"; do
    if [ -e "$folder/libbnq.so" ]; then export BNQ_LIB_DIR=$folder; break; fi
  done
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In a folder without git, so that no commit is written into the packages.
cp -r "$root/bindings/rust" "$work/rust"
rm -rf "$work/rust/target" "$work/rust/Cargo.lock" "$work"/rust/*/libbnq
cp "$root/LICENSE" "$work/rust/bitnet-quant-src/"
# What the library is compiled from is listed once, for Python's sdist.
python3 - "$root" "$work/rust/bitnet-quant-src/libbnq" <<'END'
import ast, pathlib, shutil, sys
root, copy = map(pathlib.Path, sys.argv[1:])
tree = ast.parse((root / "bindings/python/setup.py").read_text())
patterns = next(ast.literal_eval(node.value) for node in tree.body
                if isinstance(node, ast.Assign) and node.targets[0].id == "SOURCE_PATTERNS")
for pattern in patterns:
    files = [path for path in root.glob(pattern) if path.is_file()]
    assert files, f"nothing is {pattern}"
    for path in files:
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
END

export CARGO_TARGET_DIR=${BNQ_CRATES_TARGET:-$work/target}
registry=$CARGO_TARGET_DIR/registry
# Those of an earlier run are not what is packaged here.
rm -rf "$registry"/bitnet-quant*
"$root/packaging/crates/cargo.sh" --version >/dev/null
if [ -d "$registry" ]; then directory=$registry; else directory=; fi
for crate in bitnet-quant-src bitnet-quant-sys bitnet-quant; do
  (
    cd "$work/rust/$crate"
    BNQ_CARGO_FOLDER=$PWD "$root/packaging/crates/cargo.sh" package --quiet
  )
  file=$CARGO_TARGET_DIR/package/$crate-$version.crate
  mv "$file" "$out/"
  echo "$out/${file##*/}"
  # Where the next one finds it, as if it had been published.
  if [ -n "$directory" ]; then
    tar -xzf "$out/${file##*/}" -C "$directory"
    printf '{"package":"%s","files":{}}\n' "$(sha256sum "$out/${file##*/}" | cut -d' ' -f1)" \
      >"$directory/$crate-$version/.cargo-checksum.json"
  fi
done

#!/usr/bin/env bash
# The Python package: an sdist, which builds the library from its source, and a wheel for
# each given self-contained library, with it inside. Made twice, they are the same bytes:
# SOURCE_DATE_EPOCH, by default the time of the last commit, is the time of everything in them.
#
# usage: build.sh OUT_DIR [LIBRARY...]
#        (by default build-portable-*/libbnq.so, which packaging/portable.sh makes)
set -eu -o pipefail
umask 022
[ $# -gt 0 ] || { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1")
shift
libraries=()
for library; do libraries+=("$(realpath "$library")"); done
. "$(dirname "$0")/../common.sh"
python=$(find_python setuptools wheel)
if [ ${#libraries[@]} -eq 0 ]; then
  for library in "$root"/build-portable-*/libbnq.so; do
    [ -e "$library" ] && libraries+=("$library")
  done
fi
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=315532800
fi
export SOURCE_DATE_EPOCH
version=$(cat packaging/VERSION)
name=bitnet_quant-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Hooks of PEP 517, as pip and `python -m build` call them.
hook() { "$python" -c "from setuptools import build_meta; build_meta.build_$1('$work')" >&2; }

# Modes, order, owners and times are not those of this checkout.
(cd bindings/python && hook sdist)
rm -rf bindings/python/src/*.egg-info
mkdir "$work/sdist" "$work/$name"
tar -xzf "$work"/bitnet[-_]quant-"$version".tar.gz -C "$work/$name" --strip-components 1
chmod -R u=rwX,go=rX "$work/$name"
tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
  --format=ustar -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
echo "$out/$name.tar.gz"

for library in "${libraries[@]}"; do
  case $library in
    *.dll) platform=win_amd64 ;;
    *) platform=$(packaging/portable/check.py "$library") ;;
  esac
  # By the older name, which pip before 20.3 knows alone.
  platform=${platform/#manylinux_2_17_*/$platform.manylinux2014_${platform#manylinux_2_17_}}
  rm -rf "$work/tree"
  cp -r "$work/$name" "$work/tree"
  export BNQ_WHEEL_LIBRARY=$library BNQ_WHEEL_PLATFORM=$platform
  (cd "$work/tree" && hook wheel)
  wheel=$name-py3-none-$platform.whl
  mv "$work/$wheel" "$out/$wheel"
  echo "$out/$wheel"
done

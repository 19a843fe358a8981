#!/usr/bin/env bash
# Builds the Debian packages of a commit, from nothing but its files and the packages that
# debian/control names: without network, and the same bytes wherever it is built.
#
# usage: build.sh OUT_DIR   DEB_BUILD_OPTIONS=nocheck leaves the tests out; BNQ_COMMIT is the
#                           commit (HEAD), BNQ_DEBIAN_WORK where it is built (build/debian)
set -eu -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "${1:?usage: build.sh OUT_DIR}"
out=$(cd "$1" && pwd)
commit=${BNQ_COMMIT:-HEAD}
work=${BNQ_DEBIAN_WORK:-$root/build/debian}
for tool in dpkg-buildpackage dh dh_python3; do
  command -v $tool >/dev/null ||
    { echo "there is no $tool: install debhelper and dh-python" >&2; exit 77; }
done

version=$(git -C "$root" show "$commit:packaging/VERSION")
tree=$work/bitnet-quant-$version
rm -rf "$work"
mkdir -p "$tree"
git -C "$root" archive "$commit" | tar -x -C "$tree"
cp -r "$tree/packaging/debian" "$tree/debian"
packaged=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Version)
[ "${packaged%-*}" = "$version" ] || {
  echo "packaging/VERSION says $version, packaging/debian/changelog $packaged" >&2
  exit 1
}

SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH
if command -v ccache >/dev/null; then
  # debhelper gives the build a home and a locale of its own; ccache keeps to its folder,
  # and tells no locales apart.
  CCACHE_DIR=$(ccache --get-config cache_dir)
  export CCACHE_DIR CCACHE_BASEDIR=${CCACHE_BASEDIR:-$work} CCACHE_NOHASHDIR=1
  launcher='env;--unset=LC_ALL;ccache'
  export CMAKE_C_COMPILER_LAUNCHER=$launcher CMAKE_CXX_COMPILER_LAUNCHER=$launcher
fi
cd "$tree"
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS # dpkg-buildflags has them
DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} parallel=$(nproc)" \
  dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary
cp ../*.deb "$out"

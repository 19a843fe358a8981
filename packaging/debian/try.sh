#!/usr/bin/env bash
# Installs the Debian packages in a bare Debian without network, runs README.md's examples
# and debian/tests there, and removes them: no file may be left. Prints TAP.
#
# usage: try.sh DEBS_DIR   (what build.sh left there; as root)
#
# The bare system is made by debootstrap, from the network, once: build/debian-base-SUITE.tar.
# It has what the packages depend on, a compiler, what autopkgtest asks for (apt-utils,
# dpkg-dev), and nothing of this project.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
debs=$(cd "${1:?usage: try.sh DEBS_DIR}" && pwd) || exit 2
suite=${BNQ_DEBIAN_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")}
base=$root/build/debian-base-$suite.tar
includes=apt-utils,dpkg-dev,gcc,libc6-dev,pkgconf,python3-numpy,libhwy1,zlib1g,libstdc++6
. "$root/packaging/tap.sh"
system=$work/system
[ "$(id -u)" -eq 0 ] || { echo "chroot needs root" >&2; exit 77; }

if [ ! -e "$base" ]; then
  command -v debootstrap >/dev/null || { echo "there is no debootstrap" >&2; exit 77; }
  mkdir -p "$root/build"
  debootstrap --variant=minbase --include="$includes" "$suite" "$work/new" \
    ${BNQ_DEBIAN_MIRROR:+"$BNQ_DEBIAN_MIRROR"} >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 2; }
  # What autopkgtest installs is there already, and nothing is to be downloaded.
  : >"$work/new/etc/apt/sources.list"
  rm -rf "$work/new/var/lib/apt/lists" "$work"/new/var/cache/apt/archives/*.deb
  tar -C "$work/new" -cf "$base.part" . && mv "$base.part" "$base"
  rm -rf "$work/new"
fi
mkdir "$system"
tar -C "$system" -xf "$base" || exit 2
# The devices that programs expect.
for device in null zero random urandom; do
  [ -c "$system/dev/$device" ] || cp -a "/dev/$device" "$system/dev/"
done

# apart COMMAND...: without network, with the bare system's /proc, which goes with it.
apart() {
  unshare --net --mount sh -c 'mount -t proc proc "$0/proc" && exec "$@"' "$system" "$@"
}
# inside COMMAND...: in the bare system.
inside() {
  apart chroot "$system" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 AUTOPKGTEST_TMP=/tmp/test "$@"
}
# What dpkg itself keeps (its database, logs, caches) is not the packages'.
files() {
  (cd "$system" && find . -path ./var/lib/dpkg -prune -o -path ./var/log -prune -o \
    -path ./var/cache -prune -o -path ./tmp -prune -o -path ./packages -prune -o \
    -path ./tree -prune -o -print | sort)
}

mkdir "$system/packages"
find "$debs" -name '*.deb' ! -name '*-dbgsym_*' -exec cp {} "$system/packages" \;
# The source package's tree, as far as its tests read it.
mkdir -p "$system/tree/tests/golden"
cp -r "$root/packaging" "$root/README.md" "$system/tree"
cp -r "$root/packaging/debian" "$system/tree/debian"
cp -r "$root/tests/golden/interchange" "$system/tree/tests/golden"
names=$(cd "$system/packages" && for deb in *.deb; do dpkg-deb -f "$deb" Package; done)
[ "$(wc -w <<<"$names")" -eq 4 ] || { echo "not ok - four packages, not: $names"; exit 1; }

files >"$work/before"
check "install" inside sh -c 'dpkg --install /packages/*.deb'
# shellcheck disable=SC2086  # names are words
check "are installed as a whole" inside dpkg --verify $names
for test in $(sed -n 's/^Tests: //p' "$root/packaging/debian/tests/control"); do
  rm -rf "$system/tmp/test"
  mkdir -p "$system/tmp/test"
  check "$test" inside "/tree/debian/tests/$test"
done
# That a test can fail: without the library nothing runs.
mv "$system"/usr/lib/*/libbnq.so.1 "$work"
check "the Python module does not run without the library" \
  inside sh -c '! python3 -c "import bitnet_quant; bitnet_quant.formats()"'
mv "$work/libbnq.so.1" "$(dirname "$(find "$system/usr/lib" -name 'libbnq.so.1.*' -o \
  -name 'libbnq.so.0.*' | head -n 1)")/"
rm -rf "$system/tmp/test"
# shellcheck disable=SC2086
check "are removed" inside dpkg --purge $names
files >"$work/after"
check "nothing is left" diff "$work/before" "$work/after"

if command -v autopkgtest >/dev/null; then
  check "autopkgtest" apart autopkgtest --no-built-binaries \
    "$system"/packages/*.deb "$system/tree" -- chroot "$system"
  sed -n '/@ summary/,$s/^\(readme-.*\(PASS\|FAIL\)\).*/# \1/p' "$work/log"
else
  echo "ok - autopkgtest # SKIP not installed; its tests ran above"
fi
exit $((failures > 0))

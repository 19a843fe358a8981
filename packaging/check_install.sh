#!/usr/bin/env bash
# What an installed libbnq must be: complete, small, found by pkg-config and by
# find_package, and still found after its prefix has been moved. Builds
# tests/consumer against it, as a user would. Prints TAP ("ok ...", "not ok
# ..."), and exits with 1 if anything is not ok.
#
# usage: check_install.sh [BUILD_DIR [MESON_BUILD_DIR]]
set -u -o pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:-$root/build}" && pwd) || exit 2
meson_build=${2:+$(cd "$2" && pwd)}
version=$(cat "$root/packaging/VERSION")
consumer=$root/tests/consumer
. "$root/packaging/tap.sh"
# Whatever is found must be found by what was installed.
unset LD_LIBRARY_PATH BNQ_LIBRARY

# The directory of bnq.pc below a prefix, wherever the libdir is.
pc_dir() { dirname "$(find "$1" -name bnq.pc | head -n 1)"; }

# consume_pkg_config PREFIX [--static]
consume_pkg_config() {
  local pc flags program
  pc=$(pc_dir "$1")
  flags=$(PKG_CONFIG_PATH=$pc pkg-config ${2:-} --cflags --libs bnq) || return
  program=$(mktemp -u "$work/consumer.XXXXXX")
  # shellcheck disable=SC2086  # flags are words
  "${CC:-cc}" -std=c99 -Wall -Werror -pedantic-errors "$consumer/consumer.c" \
    -o "$program" $flags || return
  LD_LIBRARY_PATH=$(dirname "$pc") "$program"
}

# consume_cmake PREFIX [CMAKE_OPTION...]
consume_cmake() {
  local prefix=$1 tree
  shift
  tree=$(mktemp -d "$work/cmake.XXXXXX")
  cmake -S "$consumer" -B "$tree" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" "$@" \
    -DBNQ_EXPECTED_VERSION="$version" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF &&
    cmake --build "$tree" &&
    # Found in the prefix asked for, not elsewhere on this machine.
    grep -q "bnq_DIR:[A-Z]*=$prefix/" "$tree/CMakeCache.txt" &&
    ctest --test-dir "$tree" --output-on-failure
}

has_soname() {
  objdump -p "$1" | grep -E "SONAME +libbnq.so.$2\$"
}

is_small() {
  strip -o "$work/stripped.so" "$1" &&
    [ "$(stat -c %s "$work/stripped.so")" -lt 2621440 ]
}

pc_version_is() {
  [ "$(PKG_CONFIG_PATH=$(pc_dir "$1") pkg-config --modversion bnq)" = "$version" ]
}

headers_installed() {
  diff -r "$root/capi/include/bnq" "$1/include/bnq"
}

# says_version PATTERN FILE...: a line of each file is the pattern.
says_version() {
  local pattern=$1
  shift
  ! grep -L -x -E " *$pattern" "$@" | grep .
}
versions_agree() {
  cd "$root/bindings" &&
    says_version "version = \"$version\"" rust/*/Cargo.toml &&
    says_version "<Version>$version</Version>" csharp/Directory.Build.props &&
    says_version "\"version\": \"$version\"," ../packaging/vcpkg/bitnet-quant/vcpkg.json &&
    says_version "__version__ = \"$version\"" python/src/bitnet_quant/__init__.py &&
    grep -q "^bitnet-quant ($version-" "$root/packaging/debian/changelog"
}
check "every package has version $version" versions_agree
prefix=$work/prefix
check "installs" cmake --install "$build" --prefix "$prefix"
library=$(find "$prefix" -name 'libbnq.so' | head -n 1)
abi=$(awk '$2 == "BNQ_ABI_VERSION" { print $3 }' "$prefix/include/bnq/bnq.h")
check "installs the headers and nothing else in include/bnq" headers_installed "$prefix"
check "SONAME is libbnq.so.$abi" has_soname "$library" "$abi"
check "exports the approved functions alone" \
  "$root/tests/capi/check_exports.sh" "$library" "$root/capi/exports.txt" \
  "$prefix/include/bnq/bnq.h" "$prefix/include/bnq/bnq_x.h"
check "stripped library is below 2.5 MiB" is_small "$library"
echo "# stripped size: $(stat -c %s "$work/stripped.so") bytes"
check "bnq.pc has version $version" pc_version_is "$prefix"
check "C program by pkg-config" consume_pkg_config "$prefix"
check "C program by find_package" consume_cmake "$prefix"
if [ -x "$prefix/bin/bnq" ]; then
  check "the installed command line runs" "$prefix/bin/bnq" info
fi

mv "$prefix" "$work/moved"
check "C program by pkg-config, prefix moved" consume_pkg_config "$work/moved"
check "C program by find_package, prefix moved" consume_cmake "$work/moved"
if [ -x "$work/moved/bin/bnq" ]; then
  check "the moved command line runs" "$work/moved/bin/bnq" info
fi

# A static library, in a nested libdir such as Debian's (where CMake looks only
# if it knows the architecture's name, hence bnq_DIR), of the shared library's objects.
static=$work/static
static_libdir=lib/nested
check "static library builds" sh -c '
  cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=OFF -DBNQ_BUILD_CLI=OFF -DBNQ_BUILD_TESTS=OFF \
    -DBNQ_BUILD_BENCH=OFF -DCMAKE_INSTALL_LIBDIR="$3" -DBNQ_LIBRARY_OBJECTS="$5" &&
  cmake --build "$2" && cmake --install "$2" --prefix "$4"' \
  sh "$root" "$build/static" "$static_libdir" "$static" "$build"
check "static C program by pkg-config --static" consume_pkg_config "$static" --static
check "static C program by find_package" consume_cmake "$static" \
  -Dbnq_DIR="$static/$static_libdir/cmake/bnq"

# Absolute directories, as some distributions configure them.
absolute=$work/absolute
absolute_dirs() {
  cmake -S "$root" -B "$build/static" -DCMAKE_INSTALL_LIBDIR="$absolute/deep/lib" \
    -DCMAKE_INSTALL_INCLUDEDIR="$absolute/headers" &&
    cmake --install "$build/static" --prefix "$absolute/elsewhere" &&
    grep -x "libdir=$absolute/deep/lib" "$absolute/deep/lib/pkgconfig/bnq.pc" &&
    consume_pkg_config "$absolute/deep" --static
}
check "C program by pkg-config, absolute libdir" absolute_dirs
cmake -S "$root" -B "$build/static" -DCMAKE_INSTALL_LIBDIR="$static_libdir" \
  -DCMAKE_INSTALL_INCLUDEDIR=include >"$work/log" 2>&1

# As a part of another project, of the same objects.
fetch_content() {
  cmake -S "$consumer" -B "$work/fetch" -G Ninja -DBNQ_CONSUMER_SOURCE="$root" \
    -DBNQ_LIBRARY_OBJECTS="$build" -DCMAKE_BUILD_TYPE=Release &&
    cmake --build "$work/fetch" &&
    ! find "$work/fetch" -name 'bnq_tests*' -o -name bnq | grep . && # neither tests nor tools
    ctest --test-dir "$work/fetch" --output-on-failure
}
check "C program by FetchContent" fetch_content
meson_subproject() {
  mkdir -p "$work/sub/subprojects" &&
    cp "$consumer"/{meson.build,consumer.c} "$work/sub" &&
    ln -s "$root" "$work/sub/subprojects/bnq" &&
    meson setup --wrap-mode forcefallback -Dbnq:library_objects="$build" \
      "$work/sub/build" "$work/sub" &&
    meson compile -C "$work/sub/build" && meson test -C "$work/sub/build" --print-errorlogs &&
    ! find "$work/sub/build" -name 'bnq_tests*' -type f -o -name bnq -type f | grep .
}
if command -v meson >/dev/null && pkg-config --exists 'libhwy >= 1.0.3'; then
  check "C program by a meson subproject" meson_subproject
fi

# Completions and the manual page are where shells and man look.
completes() {
  bash -c '. "$1/share/bash-completion/completions/bnq" && complete -p bnq' sh "$work/moved" &&
    head -n 1 "$work/moved/share/zsh/site-functions/_bnq" | grep -x '#compdef bnq' &&
    grep -c '^complete -c bnq' "$work/moved/share/fish/vendor_completions.d/bnq.fish" &&
    man -w -M "$work/moved/share/man" 1 bnq
}
if [ -x "$work/moved/bin/bnq" ]; then
  check "completions and manual page" completes
fi

# The library that wheels and other packages carry, of the same objects.
portable=$root/build-portable-$(uname -m)
is_portable() {
  local tag minor
  tag=$("$root/packaging/portable.sh" --objects "$build") || return
  echo "$tag"
  minor=${tag#manylinux_2_}
  [ "${minor%%_*}" -le 17 ]
}
run_portable() {
  "${CC:-cc}" -std=c99 -I"$root/capi/include" "$consumer/consumer.c" -o "$work/portable" \
    -L"$portable" -lbnq && LD_LIBRARY_PATH=$portable "$work/portable"
}
# That the check can fail.
refuses_others() { ! "$root/packaging/portable/check.py" "$library"; }
check "self-contained library runs on glibc 2.17 by its symbols" is_portable
check "C program with the self-contained library" run_portable
check "a library that needs others is not self-contained" refuses_others

# tree PREFIX: what is installed there; where Debian has its libdir is no difference, and CMake
# alone has a file for each build type.
tree() {
  (cd "$1" && find . ! -type d -printf '%P -> %l\n' |
    sed 's|^lib/[a-z0-9_]*-linux-gnu/|lib/|' | grep -v 'bnqTargets-[a-z]*\.cmake' | sort)
}
same_tree() {
  diff <(tree "$work/moved") <(tree "$1") &&
    diff "$(pc_dir "$work/moved")/bnq.pc" <(sed 's|\.\./\.\./\.\.$|../..|;
      s|lib/[a-z0-9_]*-linux-gnu|lib|' "$(pc_dir "$1")/bnq.pc")
}
if [ -n "$meson_build" ]; then
  # meson fixes the prefix when it configures; DESTDIR moves the files below it.
  check "meson installs" env DESTDIR="$work/destdir" meson install -C "$meson_build" --no-rebuild
  meson_prefix=$(dirname "$(dirname "$(find "$work/destdir" -path '*/include/bnq')")")
  meson_library=$(find "$meson_prefix" -name libbnq.so | head -n 1)
  check "meson: the files that CMake installs" same_tree "$meson_prefix"
  check "meson: SONAME is libbnq.so.$abi" has_soname "$meson_library" "$abi"
  check "meson: exports the approved functions alone" \
    "$root/tests/capi/check_exports.sh" "$meson_library" "$root/capi/exports.txt" \
    "$root/capi/include/bnq/bnq.h" "$root/capi/include/bnq/bnq_x.h"
  check "meson: C program by pkg-config" consume_pkg_config "$meson_prefix"
  check "meson: C program by find_package" consume_cmake "$meson_prefix" \
    -Dbnq_DIR="$(dirname "$meson_library")/cmake/bnq"
  check "meson: the command line runs" "$meson_prefix/bin/bnq" info
  meson_static() {
    meson setup -Ddefault_library=static -Dcli=disabled -Dlibrary_objects="$build" \
      --libdir lib/nested --prefix /usr "$work/meson-static" "$root" &&
      meson compile -C "$work/meson-static" &&
      DESTDIR="$work/meson-static-root" meson install -C "$work/meson-static" --no-rebuild
  }
  check "meson: static library" meson_static
  check "meson: static C program by pkg-config --static" \
    consume_pkg_config "$work/meson-static-root/usr" --static
  check "meson: static C program by find_package" consume_cmake "$work/meson-static-root/usr" \
    -Dbnq_DIR="$work/meson-static-root/usr/lib/nested/cmake/bnq"
fi

exit $((failures > 0))

#!/usr/bin/env bash
# C and C++ are formatted as .clang-format says. bnq.h is formatted by hand. Exits with
# 77, which ctest counts as skipped, where there is no clang-format: later releases than
# 14 to 18 may lay out some lines differently, so that others are not asked.
#
# usage: format.sh [--fix]
set -u
cd "$(dirname "$0")/../.." || exit 2
program=${CLANG_FORMAT:-clang-format}
if ! version=$("$program" --version 2>/dev/null | grep -oE 'version [0-9]+'); then
  echo "*** SKIPPED: there is no clang-format; packaging/install_deps.sh installs it"
  exit 77
fi
if [ "${version#version }" -lt 14 ] || [ "${version#version }" -gt 18 ]; then
  echo "*** SKIPPED: clang-format ${version#version } is not one of 14 to 18"
  exit 77
fi
mode=(--dry-run --Werror)
[ "${1:-}" = --fix ] && mode=(-i)
find core capi tests bench bindings/cli -name '*.cc' -o -name '*.h' -o -name '*.c' |
  grep -v '^capi/include/' | xargs "$program" "${mode[@]}"

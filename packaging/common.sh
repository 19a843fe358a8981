# Shared by demo.sh and test.sh; sourced, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
cd "$root" || exit 2
export PYTHONDONTWRITEBYTECODE=1
# The scripts ask nothing, and work in the background and without a terminal.
exec </dev/null

# The first Python that has the given modules: the one on PATH may be another
# than the system's, for which the packages were installed.
find_python() {
  local candidate module
  for candidate in "${PYTHON:-}" python3 /usr/bin/python3; do
    [ -n "$candidate" ] || continue
    for module; do
      "$candidate" -c "import $module" 2>/dev/null || continue 2
    done
    echo "$candidate"
    return
  done
  echo "no Python 3 with $* found; set PYTHON to one" >&2
  return 1
}

# build_project [TARGET...]: the default preset, compiled in build/.
build_project() {
  local targets=()
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
    # Lets it keep what was compiled with a precompiled header.
    export CCACHE_SLOPPINESS=pch_defines,time_macros
  fi
  [ $# -gt 0 ] && targets=(--target "$@")
  # The download is only made where the system's Highway is missing or too old.
  cmake --preset default -DBNQ_FETCH_HIGHWAY=ON --log-level=WARNING &&
    cmake --build "$build" --parallel "$(nproc)" "${targets[@]}"
}

# same_outputs TABLE...: whether what the examples `classify` print of the quantized models
# is the same, but for the times.
same_outputs() {
  local table first=
  for table; do
    table=$(awk '/ by numpy$/ { next } { print $1, $2, $NF }' "$table")
    [ -n "$table" ] || return 1
    first=${first:-$table}
    [ "$table" = "$first" ] || return 1
  done
}

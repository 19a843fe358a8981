#!/usr/bin/env bash
# Packs BitNetQuant and BitNetQuant.Tensors, with symbols, for NuGet. The native libraries
# are made before, by the scripts that the table below names. One that is not there is
# left out, and said so; a program on that system then needs a library of its own.
#
# usage: build.sh [--require-all] [--native RID=FILE]... OUT_DIR
#
# --require-all makes a native library that is missing an error: for releases.
# --native takes another file for a RID than the table's.
# Exits with 77 where nothing can be packed: without .NET's SDK, or any native library.
set -u -o pipefail
start=$PWD
cd "$(dirname "$0")/../.." || exit 2
root=$PWD

# RID, the library, what makes it
table=(
  "linux-x64   build-portable-x86_64/libbnq.so   packaging/portable.sh x86_64"
  "linux-arm64 build-portable-aarch64/libbnq.so  packaging/portable.sh aarch64"
  "win-x64     build-windows/bnq.dll             packaging/platforms/windows.sh"
)

usage() {
  sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2
  exit 2
}
# from_start PATH: as it is from where this was called.
from_start() {
  case $1 in
    /*) echo "$1" ;;
    *) echo "$start/$1" ;;
  esac
}
require_all=false
out=
declare -A given=()
while [ $# -gt 0 ]; do
  case $1 in
    --require-all) require_all=true ;;
    --native)
      [[ ${2:-} == ?*=?* ]] || usage
      given[${2%%=*}]=$(from_start "${2#*=}")
      shift
      ;;
    -*) usage ;;
    *) [ -z "$out" ] && out=$(from_start "$1") || usage ;;
  esac
  shift
done
[ -n "$out" ] || usage

if ! command -v dotnet >/dev/null; then
  echo "build.sh: there is no .NET SDK" >&2
  exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
natives=$work/runtimes
missing=0
for row in "${table[@]}"; do
  read -r rid file maker <<<"$row"
  source=${given[$rid]:-$file}
  unset "given[$rid]"
  if [ ! -f "$source" ]; then
    echo "*** $rid: there is no $source ($maker makes it): the package goes without." >&2
    missing=$((missing + 1))
    continue
  fi
  mkdir -p "$natives/$rid/native" &&
    cp -L "$source" "$natives/$rid/native/$(basename "$file")" || exit
done
for rid in "${!given[@]}"; do
  echo "build.sh: --native $rid=...: the table has no such RID" >&2
  exit 2
done
if $require_all && [ $missing -gt 0 ]; then
  echo "build.sh: $missing of ${#table[@]} native libraries are missing" >&2
  exit 1
fi
if [ $missing -eq ${#table[@]} ]; then
  echo "build.sh: there is no native library to pack" >&2
  exit 77
fi

# What the compiler makes stays out of the tree: bin/ and obj/ there are the developers'.
mkdir -p "$out" "$work/packages" || exit
for project in BitNetQuant BitNetQuant.Tensors; do
  dotnet pack "bindings/csharp/src/$project" --configuration Release -nodeReuse:false \
    --artifacts-path "$work/artifacts" --output "$work/packages" --verbosity quiet \
    -p:ContinuousIntegrationBuild=true "-p:BnqRuntimesDirectory=$natives" || exit
done
packaging/nuget/finish.py --forbid "$root" --forbid "$work" \
  "$work"/packages/*.nupkg "$work"/packages/*.snupkg || exit
cp "$work"/packages/*.nupkg "$work"/packages/*.snupkg "$out" || exit
(cd "$out" && ls -l -- *upkg)

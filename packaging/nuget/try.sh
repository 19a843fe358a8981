#!/usr/bin/env bash
# Uses the packages of build.sh as their users do, where nothing else of libbnq can be found:
# a fresh console program restores them from a local source, runs, and is published in every
# way .NET has; the C# tests run against them. Everything is made in a directory that goes at
# the end, the packages' copy in NuGet's folder of packages too. Prints TAP.
#
# usage: try.sh [--quick] PACKAGE_DIR
#
# --quick restores and runs, and leaves the rest. What .NET publishes with (its runtime, the
# AOT compiler) comes from NuGet, once; the packages here only from PACKAGE_DIR.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
quick=false
[ "${1:-}" = --quick ] && { quick=true; shift; }
[ $# -eq 1 ] && packages=$(cd "$1" && pwd) || {
  sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2
  exit 2
}
version=$(cat "$root/packaging/VERSION")
case $(uname -m) in
  x86_64) rid=linux-x64 ;;
  aarch64) rid=linux-arm64 ;;
  *) echo "try.sh: no package is for $(uname -m)" >&2; exit 2 ;;
esac

mkdir -p "$root/build"
# Inside the tree, because the tests look for its vectors above themselves.
work=$(mktemp -d "$root/build/nuget.XXXXXX")
. "$root/packaging/tap.sh"
unset BNQ_LIBRARY LD_LIBRARY_PATH
user_packages=${NUGET_PACKAGES:-$HOME/.nuget/packages}

# The program is neither told by nor able to change anything of the tree's.
echo '<Project />' >"$work/Directory.Build.props"
echo '<Project />' >"$work/Directory.Build.targets"
# The user's sources stay, for all but what is tried.
{
  echo '<configuration>'
  echo "  <packageSources><add key=\"packages\" value=\"$packages\" /></packageSources>"
  echo '  <packageSourceMapping>'
  echo '    <clear />'
  echo '    <packageSource key="packages"><package pattern="BitNetQuant*" /></packageSource>'
  DOTNET_CLI_UI_LANGUAGE=en dotnet nuget list source |
    sed -n 's|^ *[0-9]*\. *\(.*\) \[Enabled\]$|\1|p' | while read -r source; do
      echo "    <packageSource key=\"$source\"><package pattern=\"*\" /></packageSource>"
    done
  echo '  </packageSourceMapping>'
  echo '</configuration>'
} >"$work/nuget.config"

# What .NET itself brings comes from the user's folder of packages; ours go into one that is
# made here, so that none stays behind, and none of before is taken in place of these.
export NUGET_PACKAGES=$work/packages NUGET_FALLBACK_PACKAGES=$user_packages
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

# Ways to publish, and the options of each. Natives are beside a single file, or inside.
publish=(
  "portable       --no-self-contained"
  "self-contained -r $rid --self-contained"
  "single-file    -r $rid --self-contained -p:PublishSingleFile=true"
  "one-file       -r $rid --self-contained -p:PublishSingleFile=true
                  -p:IncludeNativeLibrariesForSelfExtract=true"
  "trimmed        -r $rid --self-contained -p:PublishTrimmed=true"
  "aot            -r $rid -p:PublishAot=true"
)
# Trimming and AOT warn once for an assembly unless they are told otherwise.
warnings=(-warnaserror -p:TrimmerSingleWarn=false -p:SuppressTrimAnalysisWarnings=false
  -p:ILLinkTreatWarningsAsErrors=true -p:IlcTreatWarningsAsErrors=true)

# project NAME: the source of a new console program in $work/NAME.
project() {
  dotnet new console --output "$work/$1" --name Program --no-restore >"$work/log" &&
    cp "$here/Program.cs" "$work/$1/"
}

new_program() {
  project program &&
    dotnet add "$work/program" package BitNetQuant --version "$version" &&
    # Neither another source's nor another folder's.
    cmp "$packages/BitNetQuant.$version.nupkg" \
      "$NUGET_PACKAGES/bitnetquant/$version/bitnetquant.$version.nupkg"
}

# alone PROGRAM DIRECTORY: where no variable tells the way to a library; it is to find the one
# in that directory.
alone() {
  (cd / && env -i "HOME=$work/home" "TMPDIR=$work/tmp" \
    "DOTNET_BUNDLE_EXTRACT_BASE_DIR=$work/extracted" "DOTNET_ROOT=$dotnet_root" \
    DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 "$@")
}
dotnet_root=$(dirname "$(readlink -f "$(command -v dotnet)")")
mkdir -p "$work/home" "$work/tmp"

run_built() {
  dotnet build "$work/program" "${warnings[@]}" --output "$work/built" &&
    alone "$work/built/Program" "$work/built"
}

# Without the library the program says where it was looked for.
missing() {
  local status=0 text
  cp -r "$work/built" "$work/missing" &&
    find "$work/missing" \( -name 'libbnq*' -o -name bnq.dll \) -delete || return
  text=$(alone "$work/missing/Program" "$work/missing") || status=$?
  echo "$status $text"
  [ $status -eq 3 ] && [[ $text == *"$work/missing/libbnq.so: no such file"* ]] &&
    [[ $text == *"libbnq.so.1"* ]]
}

# What publishing needs, into the user's folder.
restore_tools() {
  local row name options
  project tools || return
  for row in "${publish[@]}" "${others[@]}"; do
    read -r name options <<<"${row//$'\n'/ }"
    # shellcheck disable=SC2086  # options are words
    env -u NUGET_FALLBACK_PACKAGES NUGET_PACKAGES="$user_packages" \
      dotnet restore "$work/tools" $(restore_options $options) || return
  done
}
restore_options() { # those of publishing, as restoring takes them
  local option
  for option; do
    case $option in
      --self-contained) echo -p:SelfContained=true ;;
      --no-self-contained) ;;
      *) echo "$option" ;;
    esac
  done
}

# published NAME OPTION...: moved away from where it was made, and run.
published() {
  local name=$1 program library
  shift
  dotnet publish "$work/program" "${warnings[@]}" --output "$work/publish" "$@" &&
    mkdir "$work/away" && mv "$work/publish" "$work/away/$name" || return
  program=$work/away/$name/Program
  library=$work/away/$name
  case $name in
    one-file) [ ! -e "$library/libbnq.so" ] && library=$work/extracted || return ;;
    single-file | aot) [ ! -e "$program.dll" ] || return ;;
  esac
  alone "$program" "$library" && rm -rf "$work/away"
}

# emulator RID: what runs its programs here, if something does.
emulator() {
  case $1 in
    win-x64) command -v wine >/dev/null && echo "WINEDEBUG=-all wine" ;;
    linux-arm64)
      [ "$rid" = linux-x64 ] && [ -d /usr/aarch64-linux-gnu ] && command -v clang >/dev/null &&
        command -v qemu-aarch64-static >/dev/null &&
        echo "qemu-aarch64-static -L /usr/aarch64-linux-gnu"
      ;;
  esac
}

# other_options RID: how to publish for it: whole where it can run, else without a runtime.
# Under qemu a program of its own machine code runs better than one that makes it.
other_options() {
  case $1-$(emulator "$1") in
    win-x64-?*) echo "-r $1 --self-contained" ;;
    linux-arm64-?*)
      echo "-r $1 -p:PublishAot=true -p:CppCompilerAndLinker=clang -p:StripSymbols=false" ;;
    *) echo "-r $1 --no-self-contained -p:UseAppHost=false" ;;
  esac
}

# published_for RID LIBRARY: for another system, with its library; and run, if it can be.
published_for() {
  local out=$work/other/$1 run program
  run=$(emulator "$1")
  # shellcheck disable=SC2046,SC2086  # options and commands are words
  dotnet publish "$work/program" "${warnings[@]}" --output "$out" $(other_options "$1") &&
    cmp "$NUGET_PACKAGES/bitnetquant/$version/runtimes/$1/native/$2" "$out/$2" || return
  [ -n "$run" ] || return 0
  case $1 in
    win-x64) program=$out/Program.exe out=Z:${out//\//\\} ;;
    *) program=$out/Program ;;
  esac
  # shellcheck disable=SC2086
  alone $run "$program" "$out"
}

# The tests of the bindings, with the packages in place of the projects.
run_tests() {
  dotnet test "$root/bindings/csharp/tests/BitNetQuant.Tests" -nodeReuse:false \
    --configuration Release --artifacts-path "$work/tests" \
    -p:BnqPackages=true "-p:RestoreConfigFile=$work/nuget.config"
}

# From a copy of the sources elsewhere: neither time, nor place, nor chance is in a package.
pack_again() {
  local native natives=() path package
  mkdir "$work/copy" &&
    python3 -m zipfile -e "$packages/BitNetQuant.$version.nupkg" "$work/unpacked" || return
  for native in "$work"/unpacked/runtimes/*/native/*; do
    path=$(dirname "$(dirname "$native")")
    natives+=(--native "$(basename "$path")=$native")
  done
  (cd "$root" && tar -c --exclude=bin --exclude=obj --exclude=TestResults \
    LICENSE bindings/csharp packaging/VERSION packaging/licenses packaging/nuget) |
    tar -x -C "$work/copy" &&
    "$work/copy/packaging/nuget/build.sh" "${natives[@]}" "$work/again" || return
  for package in "$packages"/BitNetQuant*."$version".*nupkg; do
    cmp "$package" "$work/again/$(basename "$package")" || return
  done
}

ours() { compgen -G "$user_packages/bitnetquant*/*"; }
before=$(ours)
nothing_left() { [ "$(ours)" = "$before" ]; }

check "a new program restores the package" new_program
check "it runs" run_built
check "without the library it says what was tried" missing
if ! $quick; then
  listed=$(python3 -m zipfile -l "$packages/BitNetQuant.$version.nupkg")
  natives=$(grep -o '^runtimes/[^ ]*' <<<"$listed")
  others=()
  for native in $natives; do
    IFS=/ read -r _ other _ library <<<"$native"
    [ "$other" = "$rid" ] || others+=("$other/$library $(other_options "$other")")
  done
  check "what publishing needs is there" restore_tools
  for row in "${publish[@]}"; do
    read -r name options <<<"${row//$'\n'/ }"
    # shellcheck disable=SC2086  # options are words
    check "published $name" published "$name" $options
  done
  for row in "${others[@]}"; do
    IFS='/ ' read -r other library _ <<<"$row"
    run=$(emulator "$other")
    check "published for $other${run:+, and runs ($run)}" published_for "$other" "$library"
  done
  check "the C# tests pass with the packages" run_tests
  check "packed again elsewhere they are the same bytes" pack_again
fi
check "nothing stays in NuGet's folder" nothing_left
exit $((failures > 0))

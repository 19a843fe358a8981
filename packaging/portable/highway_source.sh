#!/usr/bin/env bash
# Prints the folder of Highway's source, for a static one: BNQ_HIGHWAY_SOURCE if it is set;
# on Debian and Ubuntu the source of the libhwy-dev that is installed, unpacked in DIR.
# Prints nothing where there is neither; CMake downloads a release then.
#
# usage: highway_source.sh DIR
set -eu -o pipefail
if [ -n "${BNQ_HIGHWAY_SOURCE:-}" ]; then
  echo "$BNQ_HIGHWAY_SOURCE"
  exit
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
version=$(dpkg-query -W -f '${Version}' libhwy-dev 2>/dev/null) || exit 0
source=$dir/highway-$version
if ! [ -e "$source/CMakeLists.txt" ]; then
  # Where the package comes from has its source, too; the system's own lists stay.
  read -r uri suite component < <(apt-cache policy libhwy-dev |
    awk '$1 == "***" { found = 1; next }
         found && $2 ~ /^[a-z+]+:/ { split($3, part, "/"); print $2, part[1], part[2]; exit }')
  mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
  echo "deb-src $uri $suite $component" >"$dir/apt/sources.list"
  options=(-qq -o "Dir::Etc::SourceList=$dir/apt/sources.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache"
    -o APT::Sandbox::User=root)
  (
    cd "$dir/apt"
    apt-get "${options[@]}" update
    apt-get "${options[@]}" source "highway=$version"
    rm -rf "$source"
    mv highway-*/ "$source"
  ) >&2
  rm -rf "$dir/apt"
fi
echo "$source"

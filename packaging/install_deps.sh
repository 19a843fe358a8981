#!/usr/bin/env bash
# Installs what the build and the tests need and the system lacks, with apt-get
# on Debian and Ubuntu; elsewhere it says what to install. Does nothing, quickly,
# where everything is there.
#
# usage: install_deps.sh [--no-bindings]   (without what Rust and C# need)
set -u
bindings=true
[ "${1:-}" = --no-bindings ] && bindings=false

has() { command -v "$1" >/dev/null 2>&1; }

if ! has apt-get; then
  ready=true
  for tool in c++ cmake ninja pkg-config python3; do has $tool || ready=false; done
  if $ready && pkg-config --exists zlib; then
    exit 0 # CMake names what else is missing
  fi
  cat >&2 <<'END'
This script installs packages on Debian and Ubuntu only. Please install:
  Fedora: gcc-c++ cmake ninja-build meson ccache pkgconf zlib-devel
          highway-devel json-devel cli11-devel gtest-devel
          google-benchmark-devel python3-numpy python3-pytest python3-torch cargo
          dotnet-sdk-8.0 clang-tools-extra
  Arch:   base-devel cmake ninja meson ccache zlib highway nlohmann-json cli11
          gtest benchmark python-numpy python-pytest rust dotnet-sdk clang
  macOS:  brew install cmake ninja meson ccache pkg-config highway
          nlohmann-json cli11 googletest google-benchmark numpy rust dotnet clang-format
          and: python3 -m pip install pytest
END
  exit 1
fi

packages=(
  abigail-tools binutils build-essential ca-certificates ccache clang-format cmake git
  libbenchmark-dev libcli11-dev libgtest-dev libhwy-dev meson ninja-build nlohmann-json3-dev
  pkg-config python3 python3-distributed python3-numpy python3-pip python3-pytest
  python3-setuptools python3-venv python3-wheel zlib1g-dev
)
if $bindings; then
  # The crates come from Debian's registry, so that no other one is needed.
  packages+=(librust-cmake-dev librust-libloading-dev librust-pkg-config-dev librust-rayon-dev
    librust-serde-json-dev)
  has cargo || packages+=(cargo)
fi

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}
missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done

need_dotnet=false
if $bindings && ! has dotnet; then
  need_dotnet=true
fi
# For the tests of bitnet_quant.torch, which are skipped without it: 600 MB, and not in
# every system's packages.
need_torch=false
if $bindings && ! installed python3-torch && ! python3 -c 'import torch' 2>/dev/null; then
  need_torch=true
fi
if [ ${#missing[@]} -eq 0 ] && ! $need_dotnet && ! $need_torch; then
  exit 0
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
  has sudo || { echo "not root and no sudo; missing: ${missing[*]}" >&2; exit 1; }
  sudo=sudo
fi
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

apt update || echo "apt-get update failed; trying with the lists there are" >&2
if $need_dotnet; then
  for version in 10.0 9.0 8.0; do
    if apt-cache show "dotnet-sdk-$version" >/dev/null 2>&1; then
      missing+=("dotnet-sdk-$version")
      need_dotnet=false
      break
    fi
  done
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt install --no-install-recommends -y "${missing[@]}" >/dev/null || exit 1
fi
if $need_torch; then
  echo "installing python3-torch"
  apt install --no-install-recommends -y python3-torch >/dev/null ||
    echo "*** No python3-torch: the tests of bitnet_quant.torch will be skipped." >&2
fi
if $need_dotnet; then
  echo "*** No .NET SDK, and this system packages none: C# will be skipped." >&2
  echo "*** https://learn.microsoft.com/dotnet/core/install/linux has it." >&2
fi
exit 0

#!/bin/sh
# Prints the first example below a heading of README.md, for tests to run what users read.
#
# usage: readme_example.sh HEADING   ("C", "Python", "The command line")
set -eu
awk -v heading="## $1" '
  $0 == heading { below = 1; next }
  below && /^## / { exit 1 }
  below && /^```/ { if (inside) { found = 1; exit }; inside = 1; next }
  inside
  END { exit !found }' "$(dirname "$0")/../README.md"

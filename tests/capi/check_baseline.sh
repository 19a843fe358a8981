#!/bin/sh
# Every function outside Highway's per-target namespaces (N_AVX2, N_AVX3, ...)
# runs on the oldest x86-64, so none of them may use a 256- or 512-bit register.
# One that does was compiled for a target it is not dispatched on: usually a
# template of the standard library, instantiated inside a target's region.
#
# usage: check_baseline.sh LIBBNQ.SO   (not stripped, compiled without -march)
set -eu
objdump -d -C --no-show-raw-insn "$1" | awk '
  /^[0-9a-f]+ <.*>:$/ {
    name = $0
    sub(/^[0-9a-f]+ </, "", name)
    sub(/>:$/, "", name)
    dispatched = name ~ /N_AVX/
    functions++
    if (dispatched) targets++
  }
  !dispatched && /%[yz]mm/ && !(name in bad) {
    bad[name] = 1
    count++
    print "uses AVX registers: " name
  }
  END {
    if (functions == 0 || targets == 0) {
      print "no dispatched function found: is the library stripped?"
      exit 1
    }
    if (count) exit 1
    print functions - targets " baseline functions use no AVX registers"
  }'

#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test of every language. Ends
# with one line "N passed, N failed, N skipped" that counts single tests, and
# exits with 1 if any failed. Safe to repeat: what is built is not built again.
#
# usage: test.sh [--long]
#
# --long adds the thread sanitizer and a build with link-time optimization, and has the
# sanitizers walk all cases on all targets instead of a part. README.md says what each
# phase is for.
set -u -o pipefail
. "$(dirname "$0")/common.sh"
long=false
for argument; do
  case $argument in
    --long) long=true ;;
    *) sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2 ;;
  esac
done

# What the sanitizers, and the tests of meson's build, walk of the sweeps: one case in so
# many (tests/support/sweep.h). What the sanitizers leave out of the targets: vectors of
# 16, 32 and 64 bytes remain.
some_cases=7
some_targets='HWY_SSSE3|HWY_SSE4|HWY_AVX3_DL'

results=$build/test-results
mkdir -p "$results"
rm -f "$results"/*.count

# Adds up what the phases have left, also those that ran beside this shell.
finish() {
  local passed failed skipped
  read -r passed failed skipped < <(cat "$results"/*.count |
    awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
  echo
  echo "$passed passed, $failed failed, $skipped skipped"
  exit $((failed > 0))
}

# phase NAME KIND REPORT COMMAND...: runs the command, its output to a log, and
# notes what the report (a path, or "log" for the output itself) counts. Without
# a KIND the command is one test. A command that fails though its report knows
# of no failure, or that ran no test, counts as a failure.
phase() {
  local name=$1 kind=$2 report=$3 status=0 p=0 f=0 s=0 start=$SECONDS
  local log=$results/$name.log
  shift 3
  if [ "$report" = log ]; then report=$log; else rm -f "$report"; fi
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$kind" = command ]; then
    p=$((status == 0)) f=$((status != 0))
  else
    read -r p f s < <("$python" packaging/count_tests.py "$kind" "$report")
    if [ $((p + f + s)) -eq 0 ] || { [ $status -ne 0 ] && [ "$f" -eq 0 ]; }; then
      f=$((f + 1))
    fi
  fi
  echo "$p $f $s" >"$results/$name.count"
  {
    printf '%-28s %5d passed %3d failed %3d skipped  %4d s\n' \
      "$name" "$p" "$f" "$s" $((SECONDS - start))
    if [ "$f" -gt 0 ]; then
      echo "--- the end of $log (exit status $status)"
      tail -n 60 "$log"
      echo "---"
    fi
  } >"$results/$name.summary"
  cat "$results/$name.summary" # at once, so that lines of two phases do not mix
  [ "$f" -eq 0 ]
}

# skip NAME WHY
skip() {
  echo "*** SKIPPED: $2"
  echo "0 0 1" >"$results/$1.count"
}
fail() {
  echo "$2" >&2
  echo "0 1 0" >"$results/$1.count"
}

packaging/install_deps.sh || {
  fail dependencies "the dependencies could not be installed"
  finish
}
python=$(find_python numpy pytest) || {
  fail dependencies "Python has no numpy or no pytest"
  finish
}

# What every language's tests find the library by.
export BNQ_LIBRARY=$build/libbnq.so BNQ_LIB_DIR=$build
export BNQ_CLI=$build/bindings/cli/bnq
export LD_LIBRARY_PATH=$build${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PYTHONPATH=$root/bindings/python/src${PYTHONPATH:+:$PYTHONPATH}

phase build command log build_project || finish # nothing else can run

run_ctest() {
  local tree=$1 report=$2
  shift 2
  ctest --test-dir "$tree" --output-on-failure --parallel "$(nproc)" \
    --output-junit "$report" "$@"
}

run_meson() {
  $long || export BNQ_TEST_SWEEP=$some_cases
  local reconfigure=()
  [ -e "$build/meson/build.ninja" ] && reconfigure=(--reconfigure)
  meson setup "${reconfigure[@]}" -Dtest_objects="$build" "$build/meson" &&
    meson compile -C "$build/meson" -j "$(nproc)" &&
    meson test -C "$build/meson" --no-rebuild --print-errorlogs
}

# sanitize PRESET: the library and its C++ tests, instrumented. What does not run
# instrumented code is left out.
sanitize() {
  # A test asks for more memory than there is, which is to be an error.
  export ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=allocator_may_return_null=1
  local part=(-DBNQ_TEST_EMU128=OFF "-DBNQ_DISABLED_TARGETS=$some_targets"
    "-DBNQ_TEST_OBJECTS=$build")
  if $long; then
    part=(-DBNQ_TEST_EMU128=ON -DBNQ_DISABLED_TARGETS= -DBNQ_TEST_OBJECTS=)
  else
    export BNQ_TEST_SWEEP=$some_cases
  fi
  cmake --preset "$1" -DBNQ_FETCH_HIGHWAY=ON "${part[@]}" &&
    cmake --build "build-$1" --parallel "$(nproc)" &&
    run_ctest "$root/build-$1" "$results/$1.xml" \
      --exclude-regex '^(checks[.]|capi[.](abi|exports|baseline)$)'
}

# A type or function defined twice and not alike is an error.
link_time() {
  cmake --preset lto -DBNQ_FETCH_HIGHWAY=ON &&
    cmake --build build-lto --parallel "$(nproc)" --target bnq
}

# The C++ of the project: what keeps all cores busy.
native() {
  # The command line's tests are one test to ctest; below they are counted singly.
  phase c++ junit "$results/ctest.xml" \
    run_ctest "$build" "$results/ctest.xml" --exclude-regex '^cli$'
  if command -v abidiff >/dev/null && [ "$(uname -m)" = x86_64 ]; then
    phase abi command log packaging/abi/check.sh "$build/libbnq.so"
    $long && phase abi-check tap log packaging/abi/test_check.sh "$build/libbnq.so"
  else
    skip abi "the ABI is not compared with the promised one: no abidiff, or not x86-64"
  fi
  if pkg-config --exists 'libhwy >= 1.0.3'; then
    phase meson junit "$build/meson/meson-logs/testlog.junit.xml" run_meson &&
      phase same-bytes command log "$python" tests/checks/same_bytes.py \
        "$build/libbnq.so" "$build/meson/libbnq.so"
  else
    skip meson "meson needs the system's Highway to be 1.0.3 or newer"
  fi
  phase install tap log packaging/check_install.sh "$build" \
    "$([ -e "$build/meson/libbnq.so" ] && echo "$build/meson")"
  phase wheel tap log packaging/python/check.sh $($long && echo --long) "$build"
  phase asan junit "$results/asan.xml" sanitize asan
  if $long; then
    phase tsan junit "$results/tsan.xml" sanitize tsan
    phase lto command log link_time
    if command -v dh >/dev/null && command -v dh_python3 >/dev/null &&
      command -v debootstrap >/dev/null && [ "$(id -u)" -eq 0 ]; then
      phase debian command log env DEB_BUILD_OPTIONS=nocheck \
        packaging/debian/build.sh "$build/debian-packages" &&
        phase debian-try tap log packaging/debian/try.sh "$build/debian-packages"
    else
      skip debian "Debian packages need root, debhelper, dh-python and debootstrap"
    fi
    rm -rf "$build/release"
    phase release-twice command log packaging/release.sh --check "$build/release"
  fi
}

# Every example *_model takes a model and the file to write.
model=$root/tests/models/digits.safetensors
examples=$build/examples
rm -rf "$examples"
mkdir -p "$examples"

run_pytest() {
  "$python" -m pytest -p no:cacheprovider -q --junit-xml "$@"
}

run_cargo() {
  packaging/crates/cargo.sh "$@"
}

# The clients' features that need a crate which not every system has.
rust_features() {
  local crate
  for crate in rayon ndarray; do
    if packaging/crates/cargo.sh --has "$crate"; then
      echo "--features=bitnet-quant/$crate"
    else
      echo "*** SKIPPED: the feature $crate of Rust is not tested: there is no crate $crate" >&2
    fi
  done
}

run_dotnet() {
  dotnet test bindings/csharp --results-directory "$results" \
    --logger "trx;LogFileName=csharp.trx"
}

# The packages for NuGet, with the native libraries that there are, used as their users do.
run_nuget() {
  packaging/portable.sh --objects "$build" &&
    packaging/nuget/build.sh "$build/nuget" && packaging/nuget/try.sh "$build/nuget"
}

# The libraries of other programs that read what ours writes: NuGet has them.
restore_peers() {
  local wanted
  for wanted in true false; do
    timeout 600 dotnet restore tests/peers/packages.csproj -p:Libtorch=$wanted \
      "-p:BaseIntermediateOutputPath=$build/peers/" && return
  done
}

# The demo's network in integers, in every language there is: the same bytes.
classify() {
  local images=$root/tests/models/digits_test.safetensors models=() tables=() preset
  for preset in int8_per_channel int4_per_group_32 nf4 ternary_per_group_128 mxfp4; do
    models+=("$examples/$preset.bnq")
    "$BNQ_CLI" quantize "$model" -o "${models[-1]}" --preset "$preset" --force || return
  done
  into() {
    tables+=("$examples/$1.txt")
    "${@:2}" "$images" "${models[@]}" >"${tables[-1]}" || return
    echo "$1"
    cat "${tables[-1]}"
  }
  into c "$build/tests/bnq_classify" || return
  into python "$python" bindings/python/examples/classify.py || return
  if command -v cargo >/dev/null; then
    into rust run_cargo run --quiet --example classify -- || return
  fi
  if command -v dotnet >/dev/null; then
    into csharp dotnet run --project bindings/csharp/examples/Classify -- || return
  fi
  same_outputs "${tables[@]}"
}

# The edges of pictures, in every language there is: the same text.
edges() {
  local images=$root/tests/models/digits_test.safetensors outputs=() output
  into() {
    outputs+=("$examples/edges-$1.txt")
    "${@:2}" "$images" >"${outputs[-1]}" || return
  }
  into c "$build/tests/bnq_edges" || return
  into python "$python" bindings/python/examples/edges.py || return
  if command -v cargo >/dev/null; then
    into rust run_cargo run --quiet --example edges -- || return
  fi
  if command -v dotnet >/dev/null; then
    into csharp dotnet run --project bindings/csharp/examples/Edges -- || return
  fi
  cat "${outputs[0]}"
  for output in "${outputs[@]}"; do cmp "${outputs[0]}" "$output" || return; done
}

# The library's clients: one program at a time, most of them on one core.
clients() {
  local example name features some
  # Its tests count as skipped then; nobody should have to look for why.
  command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null ||
    [ -n "${BNQ_CHROMIUM:-}" ] ||
    echo "*** SKIPPED: pages of --report are not looked at: there is no chromium"
  "$python" -c 'import torch' 2>/dev/null ||
    echo "*** SKIPPED: bitnet_quant.torch is not tested: $python has no torch"
  phase cli junit "$results/cli.xml" run_pytest "$results/cli.xml" bindings/cli/tests
  phase models junit "$results/models.xml" \
    run_pytest "$results/models.xml" tests/models
  if command -v dotnet >/dev/null; then restore_peers >"$results/restore_peers.log" 2>&1; fi
  "$python" tests/peers/found.py
  phase peers junit "$results/peers.xml" run_pytest "$results/peers.xml" tests/peers
  phase python junit "$results/python.xml" \
    run_pytest "$results/python.xml" bindings/python/tests
  for example in bindings/python/examples/*_model.py; do
    phase "python-$(basename "$example" .py)" command log \
      "$python" "$example" "$model" -o "$examples/python.bnq"
  done
  if command -v cargo >/dev/null; then
    mapfile -t features < <(rust_features)
    phase rust cargo log run_cargo test --workspace --no-fail-fast "${features[@]}"
    if packaging/crates/cargo.sh --has libloading; then
      # The same functions loaded instead of linked: some tests of each kind, all with --long.
      some=(--lib --test dynamic --test handshake --test header --test layout --test tensor)
      if $long; then some=(); fi
      phase rust-dynamic cargo log run_cargo test --workspace --no-fail-fast \
        --features bitnet-quant/load-dynamic "${some[@]}"
    else
      skip rust-dynamic "Rust's feature load-dynamic: there is no crate libloading"
    fi
    $long && phase crates tap log packaging/crates/try.sh --long "$build"
    for example in bindings/rust/bitnet-quant/examples/*_model.rs; do
      name=$(basename "$example" .rs)
      phase "rust-$name" command log run_cargo run --example "$name" -- \
        "$model" "$examples/rust.bnq"
    done
  else
    skip rust "Rust: there is no cargo"
  fi
  if command -v dotnet >/dev/null; then
    phase csharp trx "$results/csharp.trx" run_dotnet
    for example in bindings/csharp/examples/*Model/*.csproj; do
      phase "csharp-$(basename "$example" .csproj)" command log \
        dotnet run --project "$example" -- "$model" "$examples/csharp.bnq"
    done
    if $long; then phase nuget tap log run_nuget; fi
  else
    skip csharp "C#: there is no .NET SDK"
  fi
  phase release junit "$results/release.xml" \
    run_pytest "$results/release.xml" packaging/release
  phase classify command log classify
  phase edges command log edges
}

# Beside each other: neither keeps two cores busy all the time. Each in a process group
# of its own (set -m), so that a signal to this shell ends all that it has started.
set -m
(clients; echo "0 0 0" >"$results/clients-end.count") &
lanes=(-$!)
(native; echo "0 0 0" >"$results/native-end.count") &
lanes+=(-$!)
set +m
trap 'kill -- "${lanes[@]}" 2>/dev/null; exit 130' INT TERM HUP
wait
for end in clients native; do
  [ -e "$results/$end-end.count" ] || fail "$end-end" "the $end phases died"
done
phase demo command log packaging/demo.sh
finish

#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test of every language. Ends
# with one line "N passed, N failed, N skipped" that counts single tests, and
# exits with 1 if any failed. Safe to repeat: what is built is not built again.
#
# usage: test.sh [--long]   (--long adds the thread sanitizer)
set -u -o pipefail
. "$(dirname "$0")/common.sh"
long=false
for argument; do
  case $argument in
    --long) long=true ;;
    *) sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2 ;;
  esac
done

passed=0 failed=0 skipped=0
results=$build/test-results
mkdir -p "$results"

finish() {
  echo
  echo "$passed passed, $failed failed, $skipped skipped"
  exit $((failed > 0))
}

# phase NAME KIND REPORT COMMAND...: runs the command, its output to a log, and
# adds what the report (a path, or "log" for the output itself) counts. Without
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
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  printf '%-28s %5d passed %3d failed %3d skipped  %4d s\n' \
    "$name" "$p" "$f" "$s" $((SECONDS - start))
  if [ "$f" -gt 0 ]; then
    echo "--- the end of $log (exit status $status)"
    tail -n 60 "$log"
    echo "---"
  fi
  [ "$f" -eq 0 ]
}

skip() {
  echo "*** SKIPPED: $1"
  skipped=$((skipped + 1))
}

packaging/install_deps.sh || {
  echo "the dependencies could not be installed" >&2
  failed=1
  finish
}
python=$(find_python numpy pytest) || {
  failed=1
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
# The command line's tests are one test to ctest; below they are counted singly.
phase c++ junit "$results/ctest.xml" \
  run_ctest "$build" "$results/ctest.xml" --exclude-regex '^cli$'

run_meson() {
  if [ -e "$build/meson/build.ninja" ]; then
    meson setup --reconfigure "$build/meson"
  else
    meson setup "$build/meson"
  fi && meson compile -C "$build/meson" -j "$(nproc)" &&
    meson test -C "$build/meson" --no-rebuild --print-errorlogs
}
if pkg-config --exists 'libhwy >= 1.0.3'; then
  phase meson junit "$build/meson/meson-logs/testlog.junit.xml" run_meson
else
  skip "meson needs the system's Highway to be 1.0.3 or newer"
fi
phase install tap log packaging/check_install.sh "$build" \
  "$([ -e "$build/meson/libbnq.so" ] && echo "$build/meson")"

run_pytest() {
  "$python" -m pytest -p no:cacheprovider -q --junit-xml "$@"
}
phase cli junit "$results/cli.xml" run_pytest "$results/cli.xml" bindings/cli/tests
phase models junit "$results/models.xml" run_pytest "$results/models.xml" tests/models
phase python junit "$results/python.xml" \
  run_pytest "$results/python.xml" bindings/python/tests

# Every example takes a model and the file to write.
model=$root/tests/models/digits.safetensors
examples=$build/examples
rm -rf "$examples"
mkdir -p "$examples"
for example in bindings/python/examples/*.py; do
  phase "python-$(basename "$example" .py)" command log \
    "$python" "$example" "$model" -o "$examples/python.bnq"
done

# run_cargo COMMAND...: with the crates of Debian's registry where it has
# them, from crates.io otherwise.
registry=/usr/share/cargo/registry
run_cargo() {
  local source=()
  if compgen -G "$registry/serde_json-*" >/dev/null &&
    compgen -G "$registry/pkg-config-*" >/dev/null; then
    source=(--offline --config 'source.crates-io.replace-with="debian"'
      --config "source.debian.directory=\"$registry\"")
  fi
  (cd bindings/rust && cargo "${source[@]}" "$@")
}
if command -v cargo >/dev/null; then
  phase rust cargo log run_cargo test --workspace --no-fail-fast
  for example in bindings/rust/bitnet-quant/examples/*.rs; do
    name=$(basename "$example" .rs)
    phase "rust-$name" command log run_cargo run --example "$name" -- \
      "$model" "$examples/rust.bnq"
  done
else
  skip "Rust: there is no cargo"
fi

run_dotnet() {
  dotnet test bindings/csharp --results-directory "$results" \
    --logger "trx;LogFileName=csharp.trx"
}
if command -v dotnet >/dev/null; then
  phase csharp trx "$results/csharp.trx" run_dotnet
  for example in bindings/csharp/examples/*/*.csproj; do
    phase "csharp-$(basename "$example" .csproj)" command log \
      dotnet run --project "$example" -- "$model" "$examples/csharp.bnq"
  done
else
  skip "C#: there is no .NET SDK"
fi

phase demo command log packaging/demo.sh

# The library and its C++ tests, instrumented.
sanitize() {
  cmake --preset "$1" -DBNQ_FETCH_HIGHWAY=ON &&
    cmake --build "build-$1" --parallel "$(nproc)" &&
    run_ctest "$root/build-$1" "$results/$1.xml"
}
phase asan junit "$results/asan.xml" sanitize asan
if $long; then
  phase tsan junit "$results/tsan.xml" sanitize tsan
fi
finish

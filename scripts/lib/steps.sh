# shellcheck shell=bash
# The steps of scripts/test. To be sourced. Each runs in a subshell, its output in a log, and fails by its
# exit status; how much passed is read from the closing lines of its runners (see count_results).

python=/usr/bin/python3 # not the first on PATH: Debian's pytest is for this one
long=${long:-}
build_jobs=$(nproc)

steps=(release style unit asan tsan e2e handover allocation io_uring)
# shellcheck disable=SC2034  # read by scripts/test
declare -A budget_s=(
  [style]=180 [release]=360 [unit]=60 [asan]=420 [tsan]=240 [e2e]=600 [handover]=120 [allocation]=60 [io_uring]=240
)
# shellcheck disable=SC2034
declare -A about=(
  [style]="layers, headers, words, lengths, documentation; clang-format, clang-tidy"
  [release]="build everything as it is shipped"
  [unit]="unit tests, release build"
  [asan]="address, undefined and fuzzer build: unit tests, every fuzzer and its corpus"
  [tsan]="thread sanitizer build: unit tests of what threads share"
  [e2e]="end to end, conformance"
  [handover]="reloads and killed servers under load, connections over workers"
  [allocation]="no malloc per request, idle bytes per connection"
  [io_uring]="on the other reactor: unit tests, handover, allocation, a part of e2e"
)

step_style() {
  local status=0
  cmake --preset release # clang-tidy reads its compile commands
  $python -m pytest --tb=short tools/style || status=1
  $python tools/style/check.py || status=1
  check clang-format format_is_clean || status=1
  check clang-tidy tidy_is_clean || status=1
  return $status
}

step_release() {
  cmake --preset release
  check release-build cmake --build --preset release
}

step_unit() {
  local status=0
  ctest --preset release -j "$build_jobs" --timeout 120 || status=1
  if [[ $long ]]; then check simulation-long build/release/sim/weir-sim --long || status=1; fi
  return $status
}

step_asan() {
  local status=0
  cmake --preset asan
  local -a tests
  mapfile -t tests < <(test_targets asan '.*')
  check asan-build cmake --build --preset asan --target "${tests[@]}" fuzzers simulation
  ctest --preset asan -j "$build_jobs" --timeout 120 || status=1
  find build/asan/fuzz -maxdepth 1 -name '*_fuzzer' -type f -print0 | sort -z |
    xargs -0 -r -P "$build_jobs" -I{} scripts/fuzz {} "$([[ $long ]] && echo 120 || echo 5)" || status=1
  return $status
}

step_tsan() {
  local folders='base|runtime|stats|backend|app'
  cmake --preset tsan
  local -a tests
  mapfile -t tests < <(test_targets tsan "$folders")
  check tsan-build cmake --build --preset tsan --target "${tests[@]}"
  ctest --preset tsan -R "^($folders)\\." --timeout 120
}

step_e2e() { at_a_time=2 pytest_folders tests/e2e tests/conformance; }

# One at a time: they load the machine, and print how long workers were kept from their loop.
step_handover() { at_a_time=1 pytest_folders tests/handover; }

step_allocation() { at_a_time=2 pytest_folders tests/allocation; }

# What touches sockets most; --long runs all that the steps before ran on epoll.
step_io_uring() {
  local status=0 name
  local -a chosen=()
  if ! build/release/weir version | grep -qx 'io_uring usable'; then
    echo "io_uring: this machine refuses it"
    return 0
  fi
  export WEIR_REACTOR=io_uring
  ctest --preset release -j "$build_jobs" --timeout 120 -R '^(runtime|net|backend|proxy|admin|app)\.' || status=1
  at_a_time=1 pytest_folders tests/handover || status=1
  for name in bodies clients drain keep_alive limits pool reactor shutdown tcp timeouts; do
    chosen+=("tests/e2e/test_$name.py")
  done
  if [[ $long ]]; then chosen=(tests/e2e tests/conformance); fi
  at_a_time=2 run_pytest tests/allocation "${chosen[@]}" || status=1
  return $status
}

# The folders that have tests, $at_a_time tests at a time: a machine for it has two cores.
pytest_folders() {
  local folder
  local -a present=()
  for folder in "$@"; do
    if compgen -G "$folder/test_*.py" >/dev/null; then present+=("$folder"); fi
  done
  ((${#present[@]})) || return 0
  run_pytest "${present[@]}"
}

run_pytest() {
  [[ -x build/release/weir ]] || { echo "error: no build/release/weir; run the step 'release' first" && return 1; }
  WEIR_BINARY=$PWD/build/release/weir timeout --kill-after=10 25m \
    $python -m pytest -n "$at_a_time" --tb=short -rfE "$@"
}

# Unit test programs of the folders that match a pattern.
test_targets() {
  ninja -C "build/$1" -t targets all | sed -nE "s/^(weir_($2)_test): .*/\\1/p"
}

format_is_clean() {
  git ls-files -z -- 'src/*.h' 'src/*.cc' 'fuzz/*.cc' 'bench/*.cc' |
    xargs -0 -r clang-format-19 --dry-run --Werror
}

tidy_is_clean() {
  local -a files
  mapfile -t files < <(tidy_files)
  echo "clang-tidy: ${#files[@]} files"
  printf '%s\0' "${files[@]}" |
    xargs -0 -P "$build_jobs" -n 1 clang-tidy-19 --quiet -p build/release \
      --extra-arg=-UWEIR_ASSERTIONS --extra-arg=-DWEIR_ASSERTIONS=1 \
      2> >(grep -v 'warnings\? generated' >&2) # assertions are on: it learns from what they exclude
}

# What changed since the branch left origin/main, or else in the last 20 commits; a fixed few if nothing did.
# Not the tests: GoogleTest triples the time, and its macros are most of the findings.
tidy_files() {
  local base changed
  if [[ $long ]]; then
    git ls-files -- 'src/*.cc' | grep -v '_test\.cc$'
    return
  fi
  base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  if [[ -z $base || $base == "$(git rev-parse HEAD)" ]]; then
    base=$(git rev-list --max-count=21 --first-parent HEAD | tail -n 1)
  fi
  changed=$(git diff --name-only --diff-filter=d "$base" -- 'src/*.cc' | grep -v '_test\.cc$' || true)
  printf '%s\n' "${changed:-$(git ls-files -- 'src/base/*.cc' | grep -v '_test\.cc$')}"
}

# check NAME COMMAND...: a command without a count of its own is one test.
check() {
  local name=$1
  shift
  if "$@"; then
    echo "$name: 1 passed, 0 failed"
  else
    echo "$name: 0 passed, 1 failed"
    return 1
  fi
}

# The closing lines of ctest and pytest, and plain ones ("name: N passed, N failed").
result_line='^(([A-Za-z0-9_-]+: )?[0-9]+ passed, [0-9]+ failed|[0-9]+% tests passed, .*|=+ .* in [0-9.]+s .*)$'

summary_lines() { grep -E "$result_line" "$1" || true; }

# Prints "PASSED FAILED", summed over a log.
count_results() {
  summary_lines "$1" | awk '
    function number_before(word) { return match($0, "[0-9]+ " word) ? substr($0, RSTART) + 0 : 0 }
    /tests passed,/ { failed += $4; passed += $NF - $4; next }
    { passed += number_before("passed"); failed += number_before("failed") + number_before("error") }
    END { print passed + 0, failed + 0 }'
}

# shellcheck shell=bash
# Shared by tests/run and what it calls, and by tests/bench/run: where tools and results lie, how a check is
# reported, how a tool is installed. It runs no check itself and must never change anything outside the target folder,
# except for Debian packages that it says it installs.

# The caller's own settings must not leak into a test.
for setting in "${!ZHUXIAO_@}"; do unset "$setting"; done

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
CONTRACT="$ROOT/tests/contract"
# shellcheck disable=SC2034 # read by the scripts that source this file
DOCUMENT="$ROOT/openapi/v1.json"
TARGET="$(cd "$ROOT" && realpath -m "${CARGO_TARGET_DIR:-target}")"
TOOLS="$TARGET/tools"
PYTHON="$TOOLS/venv/bin/python"

# One line per check, "ok NAME" or "FAILED NAME". tests/run hands its own file down to count the checks of its helpers.
own_results=""
if [[ -z "${CHECK_RESULTS:-}" ]]; then
  own_results="$(mktemp)"
  export CHECK_RESULTS="$own_results"
fi

message() { printf '%s\n' "$*" >&2; }

# Says what is missing and stops: a run that cannot check something must not look like one that did.
refuse() {
  message "error: $*"
  exit 2
}

section() { printf '\n=== [%4ds] %s\n' "$SECONDS" "$*"; }

# check NAME COMMAND...: runs the command, records the outcome, and goes on either way so that all failures are seen at once.
check() {
  local name="$1" started="$SECONDS"
  shift
  if "$@"; then
    record ok "$name"
    printf 'ok      %s (%ds)\n' "$name" "$((SECONDS - started))"
  else
    record FAILED "$name"
    printf 'FAILED  %s (%ds)\n' "$name" "$((SECONDS - started))"
  fi
}

record() { printf '%s %s\n' "$1" "$2" >>"$CHECK_RESULTS"; }

count_results() { grep -c "^$1 " "$CHECK_RESULTS" || true; }

# How many checks had failed before this script began, when it is one of several.
failed_before="$(count_results FAILED)"

# The end of a script of checks: counts them when nobody else does, and fails when one of its own failed.
finish_checks() {
  local failed
  failed="$(count_results FAILED)"
  if [[ -n "$own_results" ]]; then
    printf '\nchecks: %s ok, %s not ok\n' "$(count_results ok)" "$failed"
    rm -f "$own_results"
  fi
  ((failed == failed_before))
}

can_use_apt() { [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; }

# RUNLEVEL=1 keeps the packages from starting services of their own: every server of a test run is thrown away with it.
install_packages() {
  message "installing Debian packages: $*"
  local log
  log="$(mktemp)"
  if ! { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    refuse "apt-get could not install: $*"
  fi
  rm -f "$log"
}

# need_packages WHAT PACKAGE...: installs them, or says exactly what to install.
need_packages() {
  local what="$1"
  shift
  can_use_apt || refuse "$what is missing. Install it first, on Debian: apt-get install --no-install-recommends $*"
  install_packages "$@"
}

# up_to_date STAMP FILE: true when STAMP holds a copy of FILE, so that changed version pins reinstall the tools.
up_to_date() { [[ -f "$1" ]] && cmp -s "$1" "$2"; }

need_node_tools() {
  command -v npm >/dev/null || need_packages "Node.js with npm" nodejs npm
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    refuse "the contract linters need Node.js 20.19 or newer, this is $(node --version)"
  local folder="$TOOLS/node" pins="$CONTRACT/package.json"
  up_to_date "$folder/stamp" "$pins" && return
  message "installing the contract linters into $folder"
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$pins" "$folder/package.json"
  npm install --prefix "$folder" --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    refuse "npm could not install what $pins lists"
  cp "$pins" "$folder/stamp"
}

need_python_tools() {
  local folder="$TOOLS/venv" pins="$CONTRACT/requirements.txt"
  up_to_date "$folder/stamp" "$pins" && return
  python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages "Python 3 with venv" python3 python3-venv
  message "installing the contract tools into $folder"
  rm -rf "$folder"
  mkdir -p "$TOOLS"
  { python3 -m venv "$folder" && "$PYTHON" -m pip install --quiet --disable-pip-version-check -r "$pins"; } >&2 ||
    refuse "pip could not install what $pins lists (Python 3.10 or newer is needed)"
  cp "$pins" "$folder/stamp"
}

# A port nobody listens on right now, below the range from which clients are given theirs.
free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s\n' "$port"
      return
    fi
  done
  refuse "no free port found on 127.0.0.1"
}

# stop_process PID SIGNAL: ends one process that this run started, at the latest after ten seconds.
stop_process() {
  kill "-$2" "$1" 2>/dev/null || return 0
  for _ in {1..100}; do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null || true
}

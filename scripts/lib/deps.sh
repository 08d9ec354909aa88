# shellcheck shell=bash
# Installs Debian packages for the scripts beside this folder, and those of npm for tests. To be sourced.
#   install_deps SET...      SET is build, test or bench
# Nothing is asked of apt when all packages are there. No service that a package brings is left
# running or enabled; services that were on the machine before are not touched.

# shellcheck disable=SC2034  # the sets are used by name
deps_build=(
  clang-19 lld-19 llvm-19 ninja-build cmake ccache
  libyaml-cpp-dev libc-ares-dev rapidjson-dev libfmt-dev libcli11-dev liburing-dev libgtest-dev
  libbenchmark-dev libmaxminddb-dev libmd-dev libxxhash-dev
)
deps_test=(
  clang-tidy-19 clang-format-19 libclang-rt-19-dev git openssl curl python3 python3-pytest
  python3-pytest-xdist nginx-light libnginx-mod-stream haproxy wrk nghttp2-client apache2-utils
  mariadb-server mariadb-client postgresql redis-server redis-tools memcached mosquitto
  mosquitto-clients sip-tester python3-grpcio iproute2 chromium nodejs npm dnsmasq-base libmaxmind-db-writer-perl
)
deps_bench=(
  gcc libc6-dev liburing-dev libbpf-dev python3 openssl util-linux nginx-light libnginx-mod-stream
  haproxy wrk nghttp2-client apache2-utils
)

# What may be there without Debian's package, which another one of the kind rules out.
declare -A deps_command=([nodejs]=node [npm]=npm)

# The service that a package would start.
declare -A deps_service=(
  [nginx-light]=nginx [haproxy]=haproxy [mariadb-server]=mariadb [postgresql]=postgresql
  [redis-server]=redis-server [memcached]=memcached [mosquitto]=mosquitto
)

install_deps() {
  local set_name package
  local -a missing=()
  for set_name in "$@"; do
    local -n packages="deps_$set_name"
    for package in "${packages[@]}"; do
      if command -v "${deps_command[$package]:-}" >/dev/null; then continue; fi
      if [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
        missing+=("$package")
      fi
    done
  done
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
  if [[ " $* " == *" test "* ]]; then install_npm_packages tests/e2e/npm; fi
}

# What FOLDER/package-lock.json names. Nothing is asked of the registry when it is there.
install_npm_packages() {
  local folder=$1
  [[ $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]] ||
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    echo "error: these scripts install with apt-get (Debian 12); install by hand: $*" >&2
    return 1
  fi
  if ((EUID != 0)); then
    echo "error: not root; run: sudo apt-get update && sudo apt-get install $*" >&2
    return 1
  fi
  echo "installing: $*"
  local log
  log=$(mktemp)
  if ! install_quietly "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "error: apt-get could not install: $*" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# In a subshell, so that its trap and environment stay its own.
install_quietly() (
  export DEBIAN_FRONTEND=noninteractive
  # invoke-rc.d asks this program, by its fixed path, whether a package may start its service.
  local policy=/usr/sbin/policy-rc.d package service
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  local -a services=()
  for package in "$@"; do
    service=${deps_service[$package]:-}
    [[ -z $service || -e /lib/systemd/system/$service.service ]] || services+=("$service")
  done
  apt-get update &&
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" &&
    disable_services "${services[@]}"
)

# Changes links only, so it also works where systemd is not installed or, as in a container, not running.
disable_services() {
  local service
  for service in "$@"; do
    update-rc.d "$service" disable
    rm -f "/etc/systemd/system/sockets.target.wants/$service.socket"
  done
}

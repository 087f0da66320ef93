#!/usr/bin/env bash
# Unpacks the newest qemu-system-aarch64 of Debian into a private root and prints how to start it.
#
#   install-qemu.sh            install (once) and print the path of the launcher
#   install-qemu.sh SUITE      the same, of this suite of Debian alone
#   install-qemu.sh --print    print the path only; exit 1 when nothing is installed
#
# Debian's unstable suite has QEMU 11.1, with iommu-testdev and arm-smmuv3; the backports of Debian
# 12 have 10.0, on which e1000 does their work. Nothing of the machine's own package state changes:
# apt works on an empty package database below the cache directory, and the packages are unpacked,
# not installed. The mirror is the one that the machine's apt already uses. Needs apt, dpkg-deb and
# ten seconds to a minute.
set -euo pipefail

cache="${VSMMU_QEMU_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/vsmmu/qemu}"
launcher="$cache/qemu-system-aarch64"

if [ "${1:-}" = "--print" ]; then
  [ -x "$launcher" ] || exit 1
  echo "$launcher"
  exit 0
fi

say() { printf '%s\n' "$*" >&2; }

# The mirror that this machine already uses for Debian's main component.
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(CODENAME)' 'Created-By: Packages' |
    awk '!found && $2 == "main" && $3 !~ /security/ && $1 ~ /debian\/?$/ { found = 1; print $1 }'
}

# apt with a state of its own below $1, reading suite $3 of mirror $2.
private_apt() {
  local state="$1" uri="$2" suite="$3"
  shift 3
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/etc/preferences.d"
  : >"$state/status"
  # Backports build on the suite that they are for.
  local name
  for name in "$suite" "${suite%-backports}"; do printf 'deb %s %s main\n' "$uri" "$name"; done |
    sort -u >"$state/etc/sources.list"
  apt-get -qq \
    -o Dir::State="$state" -o Dir::State::status="$state/status" \
    -o Dir::State::Lists="$state/lists" \
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" \
    -o Dir::Etc::sourcelist="$state/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$state/etc/preferences.d" \
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Debug::NoLocking=true \
    -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# Unpacks qemu-system-arm of suite $2 into $cache; fails when the suite has none.
unpack() {
  local uri="$1" suite="$2" state="$cache/apt" root="$cache/root"
  rm -rf "$cache"
  mkdir -p "$root"
  private_apt "$state" "$uri" "$suite" update || return 1
  private_apt "$state" "$uri" "$suite" -y --download-only -t "$suite" install qemu-system-arm ||
    return 1
  local package
  for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
  rm -rf "$state"
}

# Writes the launcher: QEMU through the private root's own loader and libraries.
write_launcher() {
  local root="$cache/root" loader triplet
  loader="$(find "$root" -name 'ld-linux*.so.*' | sort | head -n 1)"
  triplet="$(find "$root" -path '*-linux-gnu*/libc.so.6' | sort | head -n 1)"
  triplet="$(basename "$(dirname "$triplet")")"
  cat >"$launcher" <<LAUNCH
#!/bin/bash
root='$root'
libraries="\$root/usr/lib/$triplet:\$root/lib/$triplet"
export QEMU_MODULE_DIR="\$root/usr/lib/$triplet/qemu"
exec '$loader' --library-path "\$libraries" --argv0 qemu-system-aarch64 \\
  "\$root/usr/bin/qemu-system-aarch64" -L "\$root/usr/share/qemu" "\$@"
LAUNCH
  chmod +x "$launcher"
}

if [ -x "$launcher" ] && "$launcher" --version >/dev/null 2>&1; then
  say "already there: $("$launcher" --version | head -n 1)"
  echo "$launcher"
  exit 0
fi

apt-get -qq update >&2 || true
uri="$(mirror)"
[ -n "$uri" ] || { say "no Debian mirror is configured for apt"; exit 1; }
for suite in ${1:-sid bookworm-backports}; do
  if unpack "$uri" "$suite"; then
    write_launcher
    if version="$("$launcher" --version 2>/dev/null | head -n 1)"; then
      [ -n "${1:-}" ] || [ "$suite" = sid ] || say "note: suite sid could not be used"
      say "installed from $suite: $version"
      echo "$launcher"
      exit 0
    fi
  fi
  say "suite $suite did not give a QEMU that starts"
done
exit 1

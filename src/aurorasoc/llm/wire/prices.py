"""What a call costs: by the connection's own price, or by the table that litellm bundles.

Amounts are whole micro-dollars (millionths of a US dollar), so that sums don't drift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from aurorasoc.config.call_options import Price
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.libraries.litellm_table import vendors_row

_MILLION: Final = 1_000_000
_MOST: Final = 100_000.0
"""Dollars for a million tokens: a higher number in the table is a mistake."""

_TIERS: Final = (100, 128, 200, 272)
"""Thousands of prompt tokens above which vendors ask more."""

_RATES: Final = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
)


def price_of(reference: ModelReference, prompt_tokens: int = 0) -> Price | None:
    """Return what a model's tokens cost in a call; None if nobody knows.

    The table prices a vendor's own models at its own address: not a gateway's, which may serve
    anything under that name, and not those on the site's own hardware. The first look-up reads
    three megabytes: await `litellm_table.load` before it.

    Args:
        reference: The model.
        prompt_tokens: Of the call: long prompts cost more at some vendors.
    """
    return reference.options.price or _of_row(vendors_row(reference), prompt_tokens)


def cost_of(usage: Usage, price: Price) -> int:
    """Return what a call costs, in micro-dollars, rounded up.

    Dollars for a million tokens are micro-dollars for one.
    """
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    written = min(usage.cache_write_tokens or 0, usage.prompt_tokens - cached)
    rest = usage.prompt_tokens - cached - written
    return math.ceil(
        rest * exactly(price.prompt)
        + cached * exactly(_or(price.cached, price.prompt))
        + written * exactly(_or(price.cache_write, price.prompt))
        + usage.completion_tokens * exactly(price.completion)
    )


def most_of(prompt_tokens: int, completion_tokens: int, price: Price) -> int:
    """Return what a call costs at most, in micro-dollars: whatever the cache makes of it."""
    dearest = max(price.prompt, price.cached or 0, price.cache_write or 0)
    return math.ceil(
        prompt_tokens * exactly(dearest) + completion_tokens * exactly(price.completion)
    )


def exactly(rate: float) -> Decimal:
    """Return a price as it was written: ten tokens at 1.1 cost 11, not 11.000000000000002."""
    return Decimal(repr(rate))


def _of_row(row: Mapping[str, Any], prompt_tokens: int) -> Price | None:
    """Read a row of the table, which has dollars for one token, and more for long prompts."""
    tier = max((t for t in _TIERS if prompt_tokens > t * 1000 and _above(t) in row), default=None)
    prompt, completion, cached, cache_write = (_rate(row, name, tier) for name in _RATES)
    if prompt is None or completion is None:
        return None
    return Price(prompt, completion, cached, cache_write)


def _above(tier: int) -> str:
    return f"input_cost_per_token_above_{tier}k_tokens"


def _rate(row: Mapping[str, Any], name: str, tier: int | None) -> float | None:
    rate = row.get(name)
    if tier is not None:
        rate = row.get(f"{name}_above_{tier}k_tokens", rate)
    return per_million(rate)


def per_million(rate: object) -> float | None:
    """Return what the table asks for one token as the price of a million; None if it is no price.

    It writes 0 for previews, too.
    """
    if not isinstance(rate, int | float) or isinstance(rate, bool):
        return None
    million = float(exactly(rate) * _MILLION)
    return million if 0 < million <= _MOST else None


def _or(rate: float | None, otherwise: float) -> float:
    return otherwise if rate is None else rate

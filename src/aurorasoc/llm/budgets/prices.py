"""What calls cost at most, and how long an answer an amount pays for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from aurorasoc.config.call_options import Price
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire import prices
from aurorasoc.llm.wire.prices import exactly, most_of

PriceOf = Callable[[ModelReference, int], Price | None]
"""Returns a model's price in a call with so many tokens of a prompt; None: nobody knows it."""

FREE: Final = Price(0.0, 0.0)

_ANY_LENGTH: Final = 2**53


def price_of(reference: ModelReference, prompt_tokens: int) -> Price | None:
    """Return a model's price. What may run on the site's own servers is free without one."""
    price = prices.price_of(reference, prompt_tokens)
    return FREE if price is None and CATALOG[reference.provider].may_be_local else price


def longest_answer(micros: int, prompt_tokens: int, price: Price) -> int:
    """Return how many tokens of an answer an amount pays for, after the prompt; negative: none."""
    left = micros - most_of(prompt_tokens, 0, price)
    if left < 0:
        return -1
    return math.floor(left / exactly(price.completion)) if price.completion else _ANY_LENGTH

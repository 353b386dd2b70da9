"""What calls cost, in micro-dollars."""

from dataclasses import replace

import pytest

from aurorasoc.config.budgets import usd
from aurorasoc.config.call_options import CallOptions, Price
from aurorasoc.llm.budgets.prices import longest_answer
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.prices import cost_of, most_of, price_of
from tests.examples import reference_at

PRICE = Price(prompt=3.0, completion=15.0, cached=0.3, cache_write=3.75)


def test_each_kind_of_token_has_its_rate() -> None:
    """Cached ones cost less, those that fill the cache more."""
    usage = Usage(1_000, 100, 1_100, cached_tokens=600, cache_write_tokens=200)
    assert cost_of(usage, PRICE) == 200 * 3 + 180 + 200 * 3.75 + 100 * 15


def test_tokens_without_a_rate_of_their_own_cost_as_the_prompt() -> None:
    """Vendors without a cache have two rates."""
    usage = Usage(1_000, 100, 1_100, cached_tokens=600, cache_write_tokens=200)
    assert cost_of(usage, Price(3.0, 15.0)) == 1_000 * 3 + 100 * 15


def test_more_cached_tokens_than_the_prompt_has_are_no_refund() -> None:
    """A vendor may count as it likes."""
    usage = Usage(10, 0, 10, cached_tokens=500, cache_write_tokens=500)
    assert cost_of(usage, PRICE) == 3


@pytest.mark.parametrize("cached", [0, 300, 1_000])
@pytest.mark.parametrize("written", [0, 300])
def test_no_call_costs_more_than_at_most(cached: int, written: int) -> None:
    """A budget reserves the most."""
    usage = Usage(1_000, 100, 1_100, cached_tokens=cached, cache_write_tokens=written)
    assert cost_of(usage, PRICE) <= most_of(1_000, 100, PRICE)


def test_a_vendors_own_model_has_the_tables_price() -> None:
    """In dollars for a million tokens."""
    price = price_of(reference_at("openai", "gpt-4o"))
    assert price is not None
    assert (price.prompt, price.completion, price.cached) == (2.5, 10.0, 1.25)


def test_a_long_prompt_has_its_own_price() -> None:
    """Above 200,000 tokens."""
    model = reference_at("gemini", "gemini-2.5-pro")
    usual, long = price_of(model, 200_000), price_of(model, 200_001)
    assert usual is not None
    assert long is not None
    assert long.prompt == 2 * usual.prompt


@pytest.mark.parametrize(
    ("provider", "model", "base_url"),
    [
        ("openai", "gpt-4o", "https://gateway.example/v1"),
        ("vllm", "gpt-4o", "http://localhost:8000/v1"),
        ("openai", "no-such-model", None),
    ],
)
def test_what_nobody_prices_has_no_price(provider: str, model: str, base_url: str | None) -> None:
    """A gateway may serve anything under a vendor's name."""
    assert price_of(reference_at(provider, model, base_url)) is None


def test_a_price_of_ones_own_holds_everywhere() -> None:
    """On the own hardware, too."""
    options = CallOptions(price=PRICE)
    assert price_of(replace(reference_at("vllm", "m"), options=options)) == PRICE


def test_dollars_are_shown() -> None:
    """None stays unknown."""
    assert (usd(None), usd(0), usd(1_250_000)) == (None, 0.0, 1.25)


@pytest.mark.parametrize(
    ("rate", "tokens", "micros"),
    [(1.1, 10, 11), (0.1, 30, 3), (100_000.0, 10**9, 10**14), (0, 9, 0)],
)
def test_a_cost_is_exact(rate: float, tokens: int, micros: int) -> None:
    """Not a micro-dollar more, because a computer writes 1.1 in halves."""
    assert cost_of(Usage(tokens, 0, tokens), Price(rate, 1.0)) == micros
    assert most_of(0, tokens, Price(1.0, rate)) == micros


def test_an_amount_pays_for_no_token_more_than_it_can() -> None:
    """However its price divides it."""
    price = Price(0.7, 1.1)
    for micros in range(1, 500):
        longest = longest_answer(micros, 10, price)
        if longest >= 0:
            assert most_of(10, longest, price) <= micros < most_of(10, longest + 1, price)

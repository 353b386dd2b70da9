"""What is known of a model: the table's values if they can be true, and what calls taught."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from aurorasoc.llm.models.facts import ModelFacts, Prices, facts_of
from aurorasoc.llm.models.retirement import WARNING_DAYS, retirements
from aurorasoc.llm.wire.asking.learned import Capabilities
from aurorasoc.llm.wire.libraries import litellm_table
from aurorasoc.llm.wire.windows import known as windows
from aurorasoc.llm.wire.windows.known import ContextWindow, keep_window
from tests.examples import reference_at

TODAY = date(2026, 11, 27)
MODEL = reference_at("openai", "m-1")
ROW = {
    "litellm_provider": "openai",
    "max_input_tokens": 128_000,
    "max_output_tokens": 16_384,
    "input_cost_per_token": 2.5e-06,
    "cache_read_input_token_cost": 1.25e-06,
    "output_cost_per_token": 1e-05,
    "deprecation_date": "2027-01-06",
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    windows._kept.clear()
    yield
    windows._kept.clear()


def described(monkeypatch: pytest.MonkeyPatch, **values: Any) -> ModelFacts:
    """Return what a table with this row says of the model."""
    monkeypatch.setattr(litellm_table, "_table", lambda: {"m-1": ROW | values})
    return facts_of(MODEL, None)


def test_the_table_describes_a_vendors_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices are per million tokens, without the noise of binary fractions."""
    assert described(monkeypatch) == ModelFacts(
        context_window=128_000,
        context_window_source="table",
        max_output_tokens=16_384,
        prices=Prices(input=2.5, cached_input=1.25, output=10.0),
        retires_on="2027-01-06",
    )


@pytest.mark.parametrize("value", [None, "128000", "one of", 0, -1, 1.5, True, 10**12, [], {}])
def test_a_size_that_cannot_be_is_not_known(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    """The table's first row holds prose where others have numbers."""
    facts = described(monkeypatch, max_input_tokens=value, max_output_tokens=value)
    assert (facts.context_window, facts.context_window_source) == (None, None)
    assert facts.max_output_tokens is None


@pytest.mark.parametrize(
    "value", [None, "2.5e-06", 0, 0.0, -1e-06, True, float("nan"), float("inf"), 1, 10**400, []]
)
def test_a_price_that_cannot_be_is_not_known(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    """The table writes 0 for previews without a price."""
    names = ("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
    assert described(monkeypatch, **dict.fromkeys(names, value)).prices is None
    some = described(monkeypatch, cache_read_input_token_cost=value).prices
    assert some == Prices(input=2.5, cached_input=None, output=10.0)


@pytest.mark.parametrize("value", [None, "", "soon", "2026-13-01", "2026-02-30", 20270106, []])
def test_a_day_that_cannot_be_is_not_known(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    """No retirement is made up."""
    assert described(monkeypatch, deprecation_date=value).retires_on is None


def test_a_window_that_the_wire_named_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal knows the account's limit."""
    keep_window(MODEL, ContextWindow(32_000, "refusal"))
    facts = described(monkeypatch)
    assert (facts.context_window, facts.context_window_source) == (32_000, "refusal")


def test_what_the_last_test_learnt_wins_over_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shared by the fleet and outlives the memory of the wire."""
    monkeypatch.setattr(litellm_table, "_table", lambda: {"m-1": ROW})
    facts = facts_of(MODEL, Capabilities(context_window=64_000, max_output_tokens=8_000))
    assert (facts.context_window, facts.context_window_source) == (64_000, "test")
    assert facts.max_output_tokens == 8_000


def test_a_test_that_learnt_nothing_leaves_the_tables_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not known isn't zero."""
    monkeypatch.setattr(litellm_table, "_table", lambda: {"m-1": ROW})
    assert facts_of(MODEL, Capabilities(chat=True)) == facts_of(MODEL, None)


def test_a_local_model_has_the_window_that_its_server_named_and_no_price() -> None:
    """Its name is whatever its operator calls it."""
    model = reference_at("vllm", "gpt-4o")
    keep_window(model, ContextWindow(8_192, "server"))
    assert facts_of(model, None) == ModelFacts(context_window=8_192, context_window_source="server")


@pytest.mark.parametrize(
    ("days", "problems", "warnings"),
    [
        (-400, ["model_retired"], []),
        (0, ["model_retired"], []),
        (1, [], ["model_retires"]),
        (WARNING_DAYS, [], ["model_retires"]),
        (WARNING_DAYS + 1, [], []),
    ],
)
def test_a_retirement_is_a_warning_for_sixty_days_and_then_a_problem(
    days: int, problems: list[str], warnings: list[str]
) -> None:
    """On its day a model has retired."""
    day = TODAY + timedelta(days=days)
    said = retirements({"m-1": day}, TODAY)
    assert [notice.code for notice in said.problems] == problems
    assert [notice.code for notice in said.warnings] == warnings
    assert all(
        "m-1 retire" in n.detail and str(day) in n.detail for n in said.problems + said.warnings
    )

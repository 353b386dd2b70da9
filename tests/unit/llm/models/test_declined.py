"""How often models decline."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.core.clock import iso
from aurorasoc.errors import CALL_ERRORS, ModelCallError
from aurorasoc.granite import ModelReference
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.llm.models.declined import MOST, RefusalBook, Refusals
from aurorasoc.llm.models.traffic import TrafficLedger
from tests.examples import settings, snapshot

MODEL: Final = "granite-soc-specialist"
NOON: Final = 1_800_000_000_000_000


@pytest.fixture
def vllm(tmp_path: Path) -> ModelReference:
    """Return a reference to a local model."""
    return model_reference(snapshot(settings(tmp_path)), "vllm", "specialist")


@pytest.fixture
def config(tmp_path: Path) -> ConnectionConfig:
    """Return its connection."""
    return snapshot(settings(tmp_path)).connections["vllm"]


@pytest.fixture
def ledger() -> TrafficLedger:
    """Return a ledger whose clock stands still."""
    return TrafficLedger(clock=lambda: NOON)


def error(code: str) -> ModelCallError:
    """Return a failure."""
    return CALL_ERRORS[code]("It failed.", provider="vllm", model=MODEL)


def test_refusals_are_counted_among_the_calls_that_showed_one_or_the_other(
    ledger: TrafficLedger, vllm: ModelReference, config: ConnectionConfig
) -> None:
    """An outage neither lowers nor raises how often a model declines."""
    for _ in range(7):
        ledger.succeeded(vllm)
    for code in ("refused", "refused", "blocked", "unreachable", "context_too_long"):
        ledger.failed(vllm, error(code))
    assert ledger.refusals.of(config, [MODEL]) == Refusals(2, 1, 10, iso(NOON))


def test_nothing_is_known_before_the_first_call(
    ledger: TrafficLedger, config: ConnectionConfig
) -> None:
    """No rate of nothing."""
    assert ledger.refusals.of(config, [MODEL, None]) == Refusals()


def test_another_model_starts_anew(
    ledger: TrafficLedger, vllm: ModelReference, config: ConnectionConfig
) -> None:
    """It is the model that declines; two that are in use are added up."""
    ledger.failed(vllm, error("refused"))
    ledger.succeeded(replace(vllm, model="another"))
    assert ledger.refusals.of(config, ["another"]).refused == 0
    assert ledger.refusals.of(config, ["another", MODEL]) == Refusals(1, 0, 2, iso(NOON))


def test_removed_connection_is_forgotten(
    ledger: TrafficLedger, vllm: ModelReference, config: ConnectionConfig
) -> None:
    """One made anew under its name begins with nothing."""
    ledger.keep({"vllm": config})
    ledger.failed(vllm, error("refused"))
    ledger.keep({})
    ledger.keep({"vllm": config})
    assert ledger.refusals.of(config, [MODEL]) == Refusals()


def test_memory_is_bounded(vllm: ModelReference, config: ConnectionConfig) -> None:
    """The oldest is forgotten."""
    book = RefusalBook()
    models = [str(number) for number in range(MOST + 10)]
    for model in models:
        book.note(replace(vllm, model=model), None, NOON)
    assert book.of(config, models).calls == MOST

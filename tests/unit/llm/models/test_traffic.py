"""How calls ended last, by provider."""

from pathlib import Path

import pytest

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import AuthFailed, ProviderTimeout
from aurorasoc.granite import ModelReference
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.llm.models.traffic import LastCalls, LastError, TrafficLedger
from tests.examples import settings, snapshot

NOON, LATER = 1_800_000_000_000_000, 1_800_000_060_000_000


@pytest.fixture
def vllm(tmp_path: Path) -> ModelReference:
    """Return a reference to a local model."""
    return model_reference(snapshot(settings(tmp_path)), ServingBackend.VLLM, "specialist")


def _error(code: type[AuthFailed | ProviderTimeout]) -> AuthFailed | ProviderTimeout:
    return code("It failed.", provider="vllm", model="m")


def test_nothing_is_known_before_the_first_call() -> None:
    """Neither good nor bad."""
    assert TrafficLedger().of(ServingBackend.VLLM) == LastCalls()


def test_a_success_has_its_time(vllm: ModelReference) -> None:
    """RFC 3339, UTC."""
    ledger = TrafficLedger(clock=lambda: NOON)
    ledger.succeeded(vllm)
    assert ledger.of(vllm.provider).ok_at == "2027-01-15T08:00:00.000000Z"


def test_a_failure_keeps_the_last_success(vllm: ModelReference) -> None:
    """Since when it fails can be seen."""
    times = iter((NOON, LATER))
    ledger = TrafficLedger(clock=lambda: next(times))
    ledger.succeeded(vllm)
    ledger.failed(vllm, _error(AuthFailed))
    last = LastError("auth_failed", "It failed.", "2027-01-15T08:01:00.000000Z")
    assert ledger.of(vllm.provider) == LastCalls("2027-01-15T08:00:00.000000Z", last)


def test_a_success_ends_a_failure(vllm: ModelReference) -> None:
    """What is over isn't shown."""
    ledger = TrafficLedger(clock=lambda: NOON)
    ledger.failed(vllm, _error(ProviderTimeout))
    ledger.succeeded(vllm)
    assert ledger.of(vllm.provider).error is None


def test_providers_are_told_apart(vllm: ModelReference) -> None:
    """One's failure is no other's."""
    ledger = TrafficLedger(clock=lambda: NOON)
    ledger.failed(vllm, _error(AuthFailed))
    assert ledger.of(ServingBackend.OLLAMA) == LastCalls()

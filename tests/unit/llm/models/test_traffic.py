"""How calls ended last, by connection."""

from dataclasses import replace
from pathlib import Path

import pytest

from aurorasoc.config.snapshot import ConnectionConfig
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
    times = [NOON]
    ledger = TrafficLedger(clock=lambda: times[-1])
    ledger.succeeded(vllm)
    times.append(LATER)
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


def _connections(tmp_path: Path, *names: str) -> dict[str, ConnectionConfig]:
    """Return some of the connections that always exist."""
    return {name: snapshot(settings(tmp_path)).connections[name] for name in names}


def test_connection_that_is_gone_leaves_nothing_behind(
    vllm: ModelReference, tmp_path: Path
) -> None:
    """Neither counts nor a last failure; a call that outlives it isn't recorded."""
    ledger = TrafficLedger(clock=lambda: NOON)
    ledger.failed(vllm, _error(AuthFailed))
    ledger.keep(_connections(tmp_path, "ollama"))
    ledger.succeeded(vllm)
    ledger.failed(vllm, _error(AuthFailed))
    assert (ledger.counts, ledger.of("vllm")) == ({}, LastCalls())


def test_connection_made_anew_begins_with_nothing(vllm: ModelReference, tmp_path: Path) -> None:
    """Whoever adopts it without having seen that the other was removed tells them by their kind."""
    ledger = TrafficLedger(clock=lambda: NOON)
    ollama = _connections(tmp_path, "ollama")["ollama"]
    ledger.keep({"vllm": replace(ollama, name="vllm")})
    ledger.failed(replace(vllm, provider=ServingBackend.OLLAMA), _error(AuthFailed))
    ledger.keep(_connections(tmp_path, "vllm"))
    assert (ledger.counts, ledger.of("vllm")) == ({}, LastCalls())


def test_connection_that_stays_keeps_its_counts(vllm: ModelReference, tmp_path: Path) -> None:
    """Whatever else is adopted."""
    ledger = TrafficLedger(clock=lambda: NOON)
    ledger.keep(_connections(tmp_path, "vllm"))
    ledger.succeeded(vllm)
    ledger.keep(_connections(tmp_path, "vllm", "ollama"))
    assert ledger.counts == {("vllm", "ok"): 1}

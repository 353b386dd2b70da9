"""A house on a real Vault, a proxy in front of it, and patience that suits what is tested."""

from typing import Final

import pytest

from aurorasoc.core.vault import transport
from tests.world.canaries import SOAK
from tests.world.vault.fixtures import proxy, through, vault
from tests.world.vault.members import house

__all__ = ["house", "proxy", "through", "vault"]  # pytest finds the fixtures here

GIVEN_UP_AFTER: Final = transport.CALL_SECONDS if SOAK else 1.0
"""Seconds for a call that never ends; the soak waits as long as the service does."""

_BETWEEN_BYTES: Final = transport.TIMEOUT if SOAK else (60.0, 0.5)
_PATIENCE: Final = 60.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Vault take longer than the service does: the machine may be busy."""
    monkeypatch.setattr(transport, "TIMEOUT", (_PATIENCE, _PATIENCE))
    monkeypatch.setattr(transport, "CALL_SECONDS", _PATIENCE)


@pytest.fixture
def impatient(_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeouts: nothing will answer."""
    monkeypatch.setattr(transport, "TIMEOUT", _BETWEEN_BYTES)
    monkeypatch.setattr(transport, "CALL_SECONDS", GIVEN_UP_AFTER)

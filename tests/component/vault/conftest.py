"""A house on a real Vault, a proxy in front of it, and less patience than the service has."""

import pytest

from aurorasoc.core.vault import transport
from tests.world.canaries import SOAK
from tests.world.vault.fixtures import proxy, through, vault
from tests.world.vault.members import house

__all__ = ["house", "proxy", "through", "vault"]  # pytest finds the fixtures here


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on Vault sooner than the service does; the soak waits as long."""
    if not SOAK:
        connect, _ = transport.TIMEOUT
        monkeypatch.setattr(transport, "TIMEOUT", (connect, 1.0))
        monkeypatch.setattr(transport, "CALL_SECONDS", 2.0)

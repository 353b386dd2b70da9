"""A real Vault, shared or of the test's own, and a proxy in front of it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.functional.vault.members import house
from tests.world.fixtures import ca
from tests.world.vault.faults import VaultFaultProxy
from tests.world.vault.server import (
    VaultServer,
    shared_vault,
    vault,
    vault_program,
)

__all__ = [  # pytest finds the fixtures here
    "ca",
    "house",
    "shared_vault",
    "vault",
    "vault_program",
]


@pytest.fixture
def proxy(shared_vault: VaultServer) -> Iterator[VaultFaultProxy]:
    """Stand in front of the shared Vault, without faults yet."""
    with VaultFaultProxy(shared_vault.url) as running:
        yield running


@pytest.fixture
def through(proxy: VaultFaultProxy, shared_vault: VaultServer) -> Iterator[httpx.Client]:
    """Talk as root to the shared Vault by way of the proxy."""
    token = {"X-Vault-Token": shared_vault.root_token}
    url = f"{proxy.url}/v1"
    with httpx.Client(base_url=url, headers=token, trust_env=False, timeout=10) as client:
        yield client

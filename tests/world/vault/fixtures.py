"""Pytest fixtures: a real Vault, shared or to break, and a proxy in front of it.

`tests/conftest.py` has the servers, so that a worker starts each once; a conftest further down
imports the rest by name.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.world import patient
from tests.world.vault.faults import VaultFaultProxy
from tests.world.vault.server import VAULT, VaultServer


@pytest.fixture(scope="session")
def vault_program() -> Path:
    """Find the Vault to test with."""
    return VAULT.required()


@pytest.fixture(scope="session")
def shared_vault(
    vault_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VaultServer]:
    """Run one open Vault for all tests that keep to paths and names of their own."""
    with VaultServer(tmp_path_factory.mktemp("vault"), binary=vault_program) as server:
        yield server.open()


@pytest.fixture(scope="session")
def spare_vault(
    vault_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VaultServer]:
    """Run a second one, for `vault` alone."""
    with VaultServer(tmp_path_factory.mktemp("spare"), binary=vault_program) as server:
        yield server.open()


@pytest.fixture
def vault(spare_vault: VaultServer) -> Iterator[VaultServer]:
    """Yield an open Vault to seal, stop and kill; it is mended for the next test."""
    yield spare_vault
    spare_vault.mend()


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
    with patient.client(base_url=url, headers=token) as client:
        yield client

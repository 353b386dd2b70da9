"""Vault away, sealed, forbidding or hanging: what runs goes on, what starts comes up.

Configuration, not health, chooses the store: nothing is ever written to the database instead.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.errors import SecretStoreUnavailable
from aurorasoc.llm.changes import key_edits
from aurorasoc.runtime import Runtime, open_runtime
from tests.world.vault.members import KEY, OTHER_KEY, House, build_house, member
from tests.world.vault.server import VaultServer

PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Shown:
    """What the inventory shows of the store, and of DeepSeek's key."""

    state: str
    problem: str | None
    stale_since: str | None
    key_state: str


async def shown(runtime: Runtime) -> Shown:
    """Look at the inventory of a running process."""
    inventory = await runtime.admin.inventory()
    store = inventory.secret_store
    (row,) = (row for row in inventory.providers if row.provider == "deepseek")
    return Shown(store.state, store.problem, store.stale_since, row.key_state)


async def shown_as(runtime: Runtime, state: str, key_state: str) -> Shown:
    """Wait until the inventory shows these states; give up loudly."""
    end = time.monotonic() + PATIENCE
    while ((seen := await shown(runtime)).state, seen.key_state) != (state, key_state):
        assert time.monotonic() < end, f"it shows {seen}"
        await asyncio.sleep(0.05)
    return seen


@pytest.fixture
def own_house(vault: VaultServer, tmp_path: Path) -> House:
    """Build a house on a Vault that the test may seal and stop."""
    return build_house(tmp_path / "house", vault)


@asynccontextmanager
async def running(house: House, **overrides: str) -> AsyncIterator[Runtime]:
    """Run a process that has DeepSeek's key in force."""
    async with open_runtime(house.boot(**overrides)) as runtime:
        await runtime.admin.change(key_edits.set_key("deepseek", SecretStr(KEY)), actor="test")
        yield runtime


# --- what runs goes on --------------------------------------------------------------------------


async def test_a_running_process_serves_from_memory_while_vault_is_sealed(
    own_house: House,
) -> None:
    """It shows since when, and why; and that it is over."""
    async with running(own_house) as runtime:
        own_house.vault.seal()
        seen = await shown_as(runtime, "stale", "usable")
        assert (seen.problem, seen.stale_since is not None) == ("sealed", True)
        own_house.vault.unseal()
        assert (await shown_as(runtime, "ok", "usable")).stale_since is None


async def test_keys_in_memory_serve_no_longer_than_allowed(own_house: House) -> None:
    """After `VAULT_MAX_STALE` they are unavailable, and come back with Vault."""
    async with running(own_house, VAULT_MAX_STALE="0.5") as runtime:
        own_house.vault.stop()
        seen = await shown_as(runtime, "unavailable", "unavailable")
        assert seen.problem == "unreachable"
        own_house.vault.restart()
        await shown_as(runtime, "ok", "usable")


async def test_a_write_while_vault_is_away_changes_nothing(own_house: House) -> None:
    """A 503; no key, configuration or revision is written, and the key in force stays."""
    async with running(own_house) as runtime:
        revision = own_house.revision()
        own_house.vault.stop()
        with pytest.raises(SecretStoreUnavailable):
            await runtime.admin.change(
                key_edits.set_key("deepseek", SecretStr(OTHER_KEY)), actor="test"
            )
        assert (await shown_as(runtime, "stale", "usable")).problem == "unreachable"
    assert (own_house.revision(), own_house.intents()) == (revision, [])
    assert OTHER_KEY.encode() not in own_house.stored.stored_bytes()


async def test_a_policy_that_is_taken_away_is_no_deletion(house: House) -> None:
    """403 also after a new login: stale, and denied."""
    async with running(house) as runtime:
        house.vault.write_policy(house.mount, 'path "nothing/*" { capabilities = ["read"] }')
        assert (await shown_as(runtime, "stale", "usable")).problem == "denied"
    assert "llm.key.changed_in_vault" not in house.actions()


async def test_a_login_that_is_refused_is_no_deletion(house: House) -> None:
    """Token and role are gone: stale, and unauthenticated."""
    async with member(house.boot()) as process:
        await process.set_key()
        house.vault.call("DELETE", f"auth/approle/role/{house.mount}")
        token = process.store._client._session._token
        assert token is not None
        house.vault.revoke(token.get_secret_value())
        with pytest.raises(SecretStoreUnavailable):
            await process.watch.poll()
        status = process.adoption.snapshot.secret_store
        assert (process.key, status.state, status.problem) == (KEY, "stale", "unauthenticated")


# --- what starts comes up -----------------------------------------------------------------------


async def test_a_cold_start_without_vault_comes_up_and_adopts_later(own_house: House) -> None:
    """Keys are unavailable until Vault is back."""
    async with running(own_house):
        pass
    own_house.vault.stop()
    async with open_runtime(own_house.boot()) as runtime:
        assert (await shown_as(runtime, "unavailable", "unavailable")).problem == "unreachable"
        own_house.vault.restart()
        await shown_as(runtime, "ok", "usable")


async def test_an_unavailable_key_never_uncovers_the_environments(own_house: House) -> None:
    """A stored key that can't be had is no leave to use another."""
    async with member(own_house.boot()) as process:
        await process.set_key()
    own_house.vault.stop()
    async with member(own_house.boot(LLM_DEEPSEEK_API_KEY="sk-of-the-environment-01")) as process:
        assert (process.key, process.credential.state) == (None, "unavailable")

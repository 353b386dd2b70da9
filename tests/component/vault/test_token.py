"""A token is renewed before it ends, or replaced, or its end is announced.

The service renews about two thirds into a token's time. Here a token lasts longer than a test and
falls due after a second, so that a busy machine is never late; the soak waits as the service does.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from aurorasoc.core.vault import lease
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.core.vault.client import VaultClient
from tests.component.live import until
from tests.world.canaries import SOAK
from tests.world.vault.faults import VaultFault, VaultFaultProxy, error
from tests.world.vault.kubernetes import KubernetesApi
from tests.world.vault.members import DEEPSEEK, KEY, House, Member, member, vault_settings

NAME: Final = "deepseek"
DATA: Final = "/data/aurorasoc/llm-providers/"
LOGIN: Final = "/login"
RENEWAL: Final = "/auth/token/renew-self"
SECONDS: Final = 6 if SOAK else 60
"""A token's time."""

DUE_AFTER: Final = 1.2
"""Seconds; Vault counts in whole ones, so that less would gain nothing that shows."""

PATIENCE: Final = 60.0

pytestmark = pytest.mark.soak


@pytest.fixture(autouse=True)
def _due_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew after `DUE_AFTER`."""
    if not SOAK:
        left = 1 - DUE_AFTER / SECONDS
        monkeypatch.setattr(lease, "LEFT_AT_RENEWAL", (left, left))


@asynccontextmanager
async def kept(house: House, url: str, **login: Any) -> AsyncIterator[VaultClient]:
    """Yield a client that keeps its token."""
    client = VaultClient(vault_settings(url, kv_mount=house.mount, **login))
    keeping = asyncio.create_task(client.keep_token())
    try:
        yield client
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        client.close()


def approle(house: House, **fields: Any) -> dict[str, str]:
    """Return the login of a role whose tokens last for `SECONDS`."""
    policies = (house.mount, "default")
    role = house.vault.approle(f"short-{house.mount}", *policies, ttl=f"{SECONDS}s", **fields)
    return {"role_id": role.role_id, "secret_id": role.secret_id}


def static_token(house: House, **fields: Any) -> str:
    """Return a token that lasts for `SECONDS`."""
    return house.vault.token(house.mount, "default", ttl=f"{SECONDS}s", **fields)


def renewals(proxy: VaultFaultProxy) -> int:
    """Count the renewals that Vault granted."""
    return sum(seen.status == 200 for seen in proxy.seen(RENEWAL))


def outlives_its_time(house: House, token: str | None) -> bool:
    """Whether Vault itself says that a token ends later than it was made to."""
    held = house.vault.call("POST", "auth/token/lookup", {"token": token})["data"]
    issued, ends = (datetime.fromisoformat(held[name]) for name in ("issue_time", "expire_time"))
    return ends - issued > timedelta(seconds=SECONDS)


async def read_until(client: VaultClient, happened: Callable[[], bool]) -> None:
    """Read all the while until something has happened."""
    async with asyncio.timeout(PATIENCE):
        while not happened():
            assert await client.read(NAME) is not None
            await asyncio.sleep(0.05)


# --- a login's -----------------------------------------------------------------------------------


async def test_a_login_token_is_renewed(house: House, proxy: VaultFaultProxy) -> None:
    """It outlives its time without another login, and no read is refused."""
    house.put(api_key=KEY)
    async with kept(house, proxy.url, **approle(house)) as client:
        await read_until(client, lambda: renewals(proxy) > 1)
    assert len(proxy.seen(LOGIN)) == 1
    assert {seen.status for seen in proxy.seen(DATA)} == {200}
    assert outlives_its_time(house, proxy.seen(RENEWAL)[0].token)


async def test_a_login_token_at_its_longest_is_replaced(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Before it ends: no read is refused."""
    house.put(api_key=KEY)
    login = approle(house, token_max_ttl=f"{SECONDS + 1}s")
    async with kept(house, proxy.url, **login) as client:
        await read_until(client, lambda: len(proxy.seen(LOGIN)) > 1)
    assert {seen.status for seen in proxy.seen(DATA)} == {200}


async def test_a_batch_token_is_replaced(house: House, proxy: VaultFaultProxy) -> None:
    """Vault renews none of that kind."""
    house.put(api_key=KEY)
    async with kept(house, proxy.url, **approle(house, token_type="batch")) as client:
        await read_until(client, lambda: len(proxy.seen(LOGIN)) > 1)
    assert proxy.seen(RENEWAL) == []
    assert {seen.status for seen in proxy.seen(DATA)} == {200}


@pytest.mark.parametrize("status", [400, 403])
async def test_a_login_token_that_isnt_renewed_is_replaced(
    house: House, proxy: VaultFaultProxy, status: int
) -> None:
    """A refusal leads to another login."""
    house.put(api_key=KEY)
    proxy.put(VaultFault(where=RENEWAL, answer=error(status, "no")))
    async with kept(house, proxy.url, **approle(house)) as client:
        await read_until(client, lambda: len(proxy.seen(LOGIN)) > 1)
    assert proxy.seen(RENEWAL)
    assert {seen.status for seen in proxy.seen(DATA)} == {200}


async def test_a_pods_token_is_renewed(
    house: House, proxy: VaultFaultProxy, tmp_path: Path
) -> None:
    """Kubernetes is asked once."""
    house.put(api_key=KEY)
    file = tmp_path / "token"
    with KubernetesApi() as api:
        file.write_text(api.issue("aurorasoc", "soc"), "ascii")
        account = {"account": "aurorasoc", "namespace": "soc", "ttl": f"{SECONDS}s"}
        role = f"short-{house.mount}"
        house.vault.kubernetes_role(role, house.mount, "default", api=api, **account)
        async with kept(house, proxy.url, k8s_role=role, k8s_token_file=file) as client:
            await read_until(client, lambda: renewals(proxy) > 0)
    assert len(proxy.seen(LOGIN)) == 1
    assert outlives_its_time(house, proxy.seen(RENEWAL)[0].token)


async def test_a_fresh_token_that_is_denied_isnt_replaced(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Each login is a lease in Vault; the policy forbids what it forbids."""
    role = house.vault.approle(f"powerless-{house.mount}", "default")
    login = {"role_id": role.role_id, "secret_id": role.secret_id}
    async with kept(house, proxy.url, **login) as client:
        for _ in range(5):
            with pytest.raises(VaultProblem):
                await client.read(NAME)
    assert len(proxy.seen(LOGIN)) == 1


async def test_a_refused_login_is_tried_less_and_less(house: House, proxy: VaultFaultProxy) -> None:
    """Vault locks a role, for all who use it, that is tried with a wrong secret id too often."""
    login = {"role_id": house.variables["VAULT_ROLE_ID"], "secret_id": "wrong"}
    begun = time.monotonic()
    async with kept(house, proxy.url, **login) as client:
        for _ in range(20):
            with pytest.raises(VaultProblem) as caught:
                await client.read(NAME)
            assert caught.value.trouble == "unauthenticated"
    tries, passed = len(proxy.seen(LOGIN)), time.monotonic() - begun
    assert 2**tries - 2 <= passed  # the next after 2 seconds, then 4, then 8, …


# --- one that was given --------------------------------------------------------------------------


async def test_a_static_token_is_renewed(house: House, proxy: VaultFaultProxy) -> None:
    """As long as Vault grants more time."""
    house.put(api_key=KEY)
    token = static_token(house)
    async with kept(house, proxy.url, token=token) as client:
        await read_until(client, lambda: renewals(proxy) > 0)
        assert not client.token_ending
    assert outlives_its_time(house, token)


async def test_a_root_token_needs_no_renewal(house: House, proxy: VaultFaultProxy) -> None:
    """It never ends."""
    async with kept(house, proxy.url, token=house.vault.root_token) as client:
        await until(lambda: client._renewal._known)
        assert (client._session.lease, client.token_ending) == (None, False)
    assert proxy.seen(RENEWAL) == []


async def ending(house: House, token: str) -> Member:
    """Run a member's watch until the inventory shows that its token ends; it can still be used."""
    login = {"VAULT_TOKEN": token, "VAULT_ROLE_ID": "", "VAULT_SECRET_ID": ""}
    async with member(house.boot(**login)) as process:
        watching = asyncio.create_task(process.watch.run())
        try:
            while process.adoption.snapshot.secret_store.problem is None:
                await process.watch.settle()
                await asyncio.sleep(0.05)
            assert await process.store.newest(DEEPSEEK) is not None
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return process


@pytest.mark.parametrize(
    "fields",
    [{"renewable": False}, {"explicit_max_ttl": f"{SECONDS}s"}],
    ids=["not renewable", "at its longest"],
)
async def test_a_static_token_says_that_it_will_end(
    house: House, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """In the inventory and in the log, while it still can be used."""
    house.put(api_key=KEY)
    with caplog.at_level(logging.WARNING, "aurorasoc.vault"):
        process = await asyncio.wait_for(ending(house, static_token(house, **fields)), PATIENCE)
    status = process.adoption.snapshot.secret_store
    assert (status.state, status.problem) == ("ok", "token_ending")
    assert "replace it before it ends" in caplog.text


async def test_a_static_token_that_cant_be_renewed_says_so_from_the_start(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has to replace it hears of it in time."""
    token = house.vault.token(house.mount, "default", ttl="1h", renewable=False)
    with caplog.at_level(logging.WARNING, "aurorasoc.vault"):
        async with kept(house, house.vault.url, token=token) as client:
            await until(lambda: "replace it before it ends" in caplog.text)
            assert not client.token_ending
    assert token not in caplog.text

"""What answers at VAULT_ADDR takes no thread for ever, fills no memory, and ends no shutdown."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.core.vault import transport
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.core.vault.client import VaultClient
from tests.functional.vault.members import KEY, House, vault_settings
from tests.world.service import PROVIDERS, Service
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vendor.http1 import Answer

NAME: Final = "deepseek"
KILLED: Final = -9


@pytest.fixture
def client(house: House, proxy: VaultFaultProxy) -> Iterator[VaultClient]:
    """Give root's client by way of the fault proxy."""
    login = {"token": house.vault.root_token, "kv_mount": house.mount}
    made = VaultClient(vault_settings(proxy.url, **login))
    yield made
    made.close()


async def test_answers_that_drip_give_their_threads_back(
    client: VaultClient, proxy: VaultFaultProxy, house: House
) -> None:
    """As many as there are threads, for a quarter of an hour: afterwards a call is answered."""
    house.put(api_key=KEY, padding="x" * 5_000)
    with proxy.held(VaultFault(drip=0.2)):
        reads = (client.read(NAME) for _ in range(transport.WORKERS))
        told = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(one) for one in told} == {VaultProblem}
    await asyncio.sleep(1)
    assert await client.read(NAME) is not None


async def test_an_answer_without_measure_is_given_up(
    client: VaultClient, proxy: VaultFaultProxy
) -> None:
    """More than any secret can have isn't read to its end."""
    large = Answer(200, b'{"x": "' + b"x" * (2 * transport.MAX_BYTES) + b'"}')
    with proxy.held(VaultFault(answer=large)), pytest.raises(VaultProblem) as caught:
        await client.read(NAME)
    assert caught.value.trouble == "unreachable"


def test_a_service_ends_while_vault_hangs(house: House, tmp_path: Path) -> None:
    """Its threads end with their calls, and nothing waits for more."""
    with VaultFaultProxy(house.vault.url) as proxy:
        variables = house.env(proxy.url)
        with Service(tmp_path, variables) as service:
            service.client().put(f"{PROVIDERS}/deepseek/key", json={"api_key": KEY})
            with proxy.held(VaultFault(hang=True)):
                while not [seen for seen in proxy.seen() if seen.fault.hang]:
                    time.sleep(0.05)
                assert service.terminate() != KILLED  # it would be, after ten seconds

"""What answers at VAULT_ADDR takes no thread for ever, and fills no memory."""

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest

from aurorasoc.core.vault import transport
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.core.vault.client import VaultClient
from tests.component.vault.conftest import GIVEN_UP_AFTER
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vault.members import KEY, House, vault_settings
from tests.world.vendor.http1 import Answer

NAME: Final = "deepseek"


@pytest.fixture
def client(house: House, proxy: VaultFaultProxy) -> Iterator[VaultClient]:
    """Yield root's client by way of the fault proxy."""
    login = {"token": house.vault.root_token, "kv_mount": house.mount}
    made = VaultClient(vault_settings(proxy.url, **login))
    yield made
    made.close()


@pytest.mark.soak
async def test_answers_that_drip_give_their_threads_back(
    client: VaultClient, proxy: VaultFaultProxy, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are threads, for a quarter of an hour: afterwards a call is answered."""
    house.put(api_key=KEY, padding="x" * 5_000)
    with proxy.held(VaultFault(drip=0.2)), monkeypatch.context() as patch:
        patch.setattr(transport, "CALL_SECONDS", GIVEN_UP_AFTER)
        reads = (client.read(NAME) for _ in range(transport.WORKERS))
        results = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(result) for result in results} == {VaultProblem}
    assert await client.read(NAME) is not None  # it waits for a thread, within its own bound


async def test_an_answer_without_measure_is_given_up(
    client: VaultClient, proxy: VaultFaultProxy
) -> None:
    """More than any secret can have isn't read to its end."""
    large = Answer(200, b'{"x": "' + b"x" * (2 * transport.MAX_BYTES) + b'"}')
    with proxy.held(VaultFault(answer=large)), pytest.raises(VaultProblem) as caught:
        await client.read(NAME)
    assert caught.value.trouble == "unreachable"

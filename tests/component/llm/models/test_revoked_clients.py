"""What a machine client has under way ends when it is revoked; others go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.errors import Unauthenticated
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import until
from tests.examples import API_KEY, settings
from tests.world.watched_vendor import WatchedVendor

PING: Final[list[Any]] = [UserMessage("ping")]
SOON: Final = 1.0
"""Seconds within which it is over: the promise; it takes a few milliseconds."""

Call = Callable[[], Awaitable[object]]


@pytest.fixture
def vendor() -> Iterator[WatchedVendor]:
    """Start the provider."""
    with WatchedVendor() as server:
        yield server


@pytest.fixture
def slots() -> dict[str, str]:
    """Return how many calls may be under way; any number."""
    return {}


@pytest.fixture
async def opened(
    libraries: None,
    vendor: WatchedVendor,
    tmp_path: Path,
    database_file: Path,
    slots: dict[str, str],
) -> AsyncIterator[Runtime]:
    """Open a runtime with two clients."""
    del libraries
    variables = {
        "AURORA_DATABASE_URL": f"sqlite:///{database_file}",
        "LLM_BACKEND": "openai",
        "LLM_MAX_RETRIES": "0",
        "LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY,
        "LLM_OPENAI_COMPATIBLE_BASE_URL": vendor.url,
    }
    async with open_runtime(settings(tmp_path, **variables | slots)) as runtime:
        for name in ("siem", "other"):
            await runtime.clients.create(ClientRequest(name=name), actor="alice")
        yield runtime


async def stream_all() -> None:
    """Stream an answer, and take each piece at once."""
    await get_chat_model().run(PING, stream=True)


async def whole() -> None:
    """Wait for a whole answer."""
    await get_chat_model().run(PING)


def called_by(client: str, call: Call) -> asyncio.Task[object]:
    """Begin a call on a client's behalf."""
    with acting_for(Acting(f"client:{client}", client)):
        return asyncio.ensure_future(call())


async def refused(call: asyncio.Task[object]) -> None:
    """Wait until a call is refused, soon."""
    async with asyncio.timeout(SOON):
        with pytest.raises(Unauthenticated, match="revoked during the call"):
            await call


@pytest.mark.parametrize("call", [whole, stream_all])
async def test_a_revoked_clients_call_ends_at_once(
    opened: Runtime, vendor: WatchedVendor, call: Call
) -> None:
    """Its socket is closed, no provider is blamed, and another client's call goes on."""
    ending, going_on = called_by("siem", call), called_by("other", call)
    await until(lambda: len(vendor.open) == 2)
    await opened.clients.revoke("siem", actor="alice")
    await refused(ending)
    await until(lambda: len(vendor.open) == 1, SOON)
    assert opened.admin.ledger.counts == {}
    assert not going_on.done()
    going_on.cancel()


async def test_a_client_that_was_revoked_since_it_was_admitted_sends_nothing(
    opened: Runtime, vendor: WatchedVendor
) -> None:
    """Between its authentication and its call."""
    await opened.clients.revoke("siem", actor="alice")
    await refused(called_by("siem", whole))
    assert vendor.asked == 0


@pytest.mark.parametrize("slots", [{"LLM_MAX_CONCURRENCY": "1"}])
async def test_a_revoked_clients_call_that_waits_is_never_sent(
    opened: Runtime, vendor: WatchedVendor
) -> None:
    """It doesn't wait for its turn to learn that."""
    first = called_by("other", whole)
    await until(lambda: bool(vendor.open))
    second = called_by("siem", whole)
    await asyncio.sleep(0)
    await opened.clients.revoke("siem", actor="alice")
    await refused(second)
    assert vendor.asked == 1
    first.cancel()


async def test_a_new_secret_ends_no_call(opened: Runtime, vendor: WatchedVendor) -> None:
    """The call is still the client's."""
    call = called_by("siem", whole)
    await until(lambda: bool(vendor.open))
    await opened.clients.replace_secret("siem", grace=0, actor="alice")
    await asyncio.sleep(0)
    assert not call.done()
    call.cancel()

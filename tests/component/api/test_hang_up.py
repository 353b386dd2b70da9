"""Who hangs up while an answer is awaited ends the call: an SDK that asks anew pays once."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from aurorasoc.llm.wire.call_record import ABANDONED, CallRecord
from aurorasoc.runtime import current_runtime
from tests.component.live import until
from tests.examples import API_KEY, JWT_SECRET, settings
from tests.world import patient
from tests.world.databases import DATABASES, SQLITE
from tests.world.door import Door, served
from tests.world.service import bearer, token
from tests.world.watched_vendor import WatchedVendor

SOON: Final = 5.0
"""Seconds within which it is over; it takes a few milliseconds."""

PING: Final = {"messages": [{"role": "user", "content": "ping"}]}
CHAT: Final = ("/api/v1/chat", PING)
DOOR: Final = ("/v1/chat/completions", PING | {"model": "specialist"})
STREAM: Final = ("/v1/chat/completions", DOOR[1] | {"stream": True})
"""Checked: nothing of it comes before the answer is whole."""


@pytest.fixture(scope="module")
def vendor() -> Iterator[WatchedVendor]:
    """Start a provider whose answers never become whole."""
    with WatchedVendor() as server:
        yield server


@pytest.fixture(scope="module")
def door(
    libraries: None, vendor: WatchedVendor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """Serve the app on it."""
    del libraries
    state: Path = tmp_path_factory.mktemp("door")
    with DATABASES.of_kind(SQLITE):
        DATABASES.migrated(state)
    variables = {
        "LLM_BACKEND": "openai",
        "LLM_MAX_RETRIES": "0",
        "LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY,
        "LLM_OPENAI_COMPATIBLE_BASE_URL": vendor.url,
    }
    with served(settings(state, **variables)) as door:
        yield door


@pytest.fixture
def records(door: Door) -> Iterator[list[CallRecord]]:
    """Return the records of the calls that end."""
    del door
    records: list[CallRecord] = []
    listeners = current_runtime().pool.records
    listeners.follow(records.append)
    yield records
    listeners.forget(records.append)


def _caller(door: Door, key: str | None = None) -> httpx.AsyncClient:
    headers = bearer(key or door.key) | {"x-aurora-stream": "checked"}
    url = door.url.removesuffix("/v1")
    return patient.async_client(base_url=url, headers=headers)


@pytest.mark.parametrize(("path", "body"), [CHAT, DOOR, STREAM], ids=["chat", "door", "stream"])
async def test_who_hangs_up_ends_the_vendors_call(
    door: Door,
    vendor: WatchedVendor,
    records: list[CallRecord],
    path: str,
    body: dict[str, Any],
) -> None:
    """Its connection is closed at once, and the call counts as abandoned."""
    async with _caller(door) as caller:
        asking = asyncio.create_task(caller.post(path, json=body))
        await until(lambda: bool(vendor.open))
        asking.cancel()  # closes the connection
        await until(lambda: not vendor.open, SOON)
        await until(lambda: bool(records), SOON)
    assert [record.code for record in records] == [ABANDONED]


async def test_the_token_ends_calls_that_are_awaited(
    door: Door, vendor: WatchedVendor, records: list[CallRecord]
) -> None:
    """Their callers are told to sign in again."""
    lifetime = timedelta(seconds=2)
    key = token("analyst", subject="alice", secret=JWT_SECRET, lifetime=lifetime)
    async with _caller(door, key) as caller:
        asked = [caller.post(path, json=body) for path, body in (CHAT, DOOR, STREAM)]
        for response in await asyncio.gather(*asked):
            assert response.status_code == 401, response.text
            assert "expired before the answer was there" in response.text
    await until(lambda: not vendor.open, SOON)
    assert [record.code for record in records] == [ABANDONED] * 3

"""Whoever follows an investigation on which nothing happens."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

import pytest

from aurorasoc.api.routers import investigations
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.clock import now_us
from aurorasoc.core.inbound import quiet
from aurorasoc.core.inbound.quiet import STILL_HERE
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation import store
from aurorasoc.workflows.investigation.alert import parse_alert
from tests.world.investigation import EVE


async def test_a_quiet_stream_is_kept_open(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a comment each time that it was quiet for so long; what was shown isn't repeated."""
    monkeypatch.setattr(investigations, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(quiet, "QUIET_SECONDS", 0.02)
    alert = parse_alert(EVE)
    lease = store.Lease.on(str(uuid4()))
    async with runtime.database.transaction() as session:
        new = store.NewInvestigation(alert, alert.title, None, "analyst")
        await store.insert(session, new, lease, now_us())
    analyst = Principal.of("analyst")
    stream = await investigations.follow_investigation(lease.investigation, analyst, runtime)
    sent: list[bytes] = []
    enough = asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("body", b""))
        if sent.count(STILL_HERE) == 3:
            enough.set()

    async def receive() -> MutableMapping[str, Any]:
        await enough.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(60):
        await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    said = [body for body in sent if body and body != STILL_HERE]
    assert [body[:13] for body in said] == [b"event: status"]

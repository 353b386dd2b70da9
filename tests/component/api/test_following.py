"""Whoever follows an investigation on which nothing happens."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast
from uuid import uuid4

import pytest

from aurorasoc.api.events import STILL_HERE
from aurorasoc.api.routers import investigations
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.clock import now_us
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation import store
from aurorasoc.workflows.investigation.alert import parse_alert
from tests.world.investigation import EVE


async def test_a_quiet_stream_is_kept_open(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a comment each time that it was quiet for so long; what was shown isn't repeated."""
    monkeypatch.setattr(investigations, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(investigations, "QUIET_SECONDS", 0.02)
    alert = parse_alert(EVE)
    lease = store.Lease.on(str(uuid4()))
    async with runtime.database.transaction() as session:
        new = store.NewInvestigation(alert, alert.title, None, "analyst")
        await store.insert(session, new, lease, now_us())
    analyst = Principal.of("analyst")
    stream = await investigations.follow_investigation(lease.investigation, analyst, runtime)
    async with aclosing(cast("AsyncGenerator[str]", stream.body_iterator)) as said:
        first, *others = [await anext(said) for _ in range(4)]
    assert first.startswith("event: status")
    assert others == [STILL_HERE] * 3

"""`GET /usage` answers what was counted, and refuses what it can't answer as asked."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from aurorasoc.api.app import include_routers
from aurorasoc.config.usage import BYS
from aurorasoc.core.access.tokens import create_token
from aurorasoc.runtime import Runtime


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to our routers in an app of this process, as an admin."""
    app = FastAPI()
    include_routers(app, settings=runtime.settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    security = runtime.settings.security
    token = create_token("alice", roles=["admin"], lifetime=timedelta(hours=1), settings=security)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://host/api/v1",
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "query",
    [
        {"by": "subject"},
        {"bucket": "month"},
        {"from": "yesterday"},
        {"from": "2026-02-30"},
        {"to": "9999-12-31"},
        {"from": "0001-01-01"},
        {"from": "2026-11-28T10:00:00+99:00"},
        {"from": "2026-11-28", "to": "2026-11-27T00:00:00Z"},
        {"from": "2020-01-01", "to": "2026-01-01", "bucket": "hour"},
        {"from": "1" * 41},
    ],
    ids=repr,
)
async def test_a_query_that_cannot_be_answered_as_asked_is_refused(
    http: httpx.AsyncClient, query: dict[str, str]
) -> None:
    """Nothing is guessed, and an answer stays bounded."""
    answer = await http.get("/usage", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("by", BYS)
async def test_where_nothing_was_counted_there_are_no_rows(
    http: httpx.AsyncClient, by: str
) -> None:
    """A date in `to` counts as a whole."""
    days = {"from": "2026-11-27", "to": "2026-11-28"}
    answer = await http.get("/usage", params={**days, "by": by})
    assert answer.json() == {
        "from": "2026-11-27T00:00:00.000000Z",
        "to": "2026-11-29T00:00:00.000000Z",
        "rows": [],
    }

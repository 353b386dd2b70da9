"""Query parameters that a call doesn't take: a misspelt one must not be ignored."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import FastAPI, Header, Query

from aurorasoc.api.app import include_routers
from aurorasoc.api.query import MOST_NAMED
from aurorasoc.core.access.principal import Principal
from aurorasoc.runtime import Runtime

POLICY: Final = "/system/llm/policy"
KEY: Final = "sk-proj-0a1b2c3d4e5f6071829"


async def _user(
    x_role: Annotated[str, Header()] = "admin", tenant: Annotated[str, Query()] = ""
) -> Principal:
    return Principal.of(f"someone{tenant}", roles=[x_role])


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to our routers in a host's app, whose callers name a tenant in the query."""
    app = FastAPI()
    include_routers(app, principal=_user, settings=runtime.settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://host/api/v1") as client,
    ):
        yield client


async def _refused(http: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    answer = await http.put(f"{POLICY}?{query}", json={"require_tlp": True})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    errors: list[dict[str, Any]] = answer.json()["errors"]
    return errors


@pytest.mark.parametrize("query", ["wiat=5", "Wait=5", "waiting=5"])
async def test_misspelt_parameter_is_refused_with_the_nearest(
    http: httpx.AsyncClient, runtime: Runtime, query: str
) -> None:
    """Nothing is changed."""
    name = query.partition("=")[0]
    message = "Unknown parameter: did you mean wait?"
    assert await _refused(http, query) == [{"field": f"query.{name}", "message": message}]
    assert runtime.adoption.snapshot.revision == 0


async def test_parameter_like_none_is_refused_with_what_the_call_takes(
    http: httpx.AsyncClient,
) -> None:
    """So that the caller needn't look it up."""
    (error,) = await _refused(http, "force=1")
    assert error["message"] == "Unknown parameter: this call takes wait"


async def test_a_verification_that_is_misspelt_does_not_change_unverified(
    http: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The reason why unknown parameters are refused at all."""
    answer = await http.put("/system/llm/config?verfy=true", json={"provider": "ollama"})
    assert answer.json()["errors"][0]["message"] == "Unknown parameter: did you mean verify?"
    assert runtime.adoption.snapshot.revision == 0


async def test_what_is_no_name_is_not_repeated(http: httpx.AsyncClient) -> None:
    """It may be a key that was sent in the wrong place."""
    answer = await http.put(f"{POLICY}?{KEY}", json={"require_tlp": True})
    assert answer.json()["errors"][0]["field"] == "query.(unknown parameter)"
    assert KEY not in answer.text


async def test_many_are_not_all_named(http: httpx.AsyncClient) -> None:
    """An answer stays small."""
    assert len(await _refused(http, "&".join(f"p{'x' * n}=1" for n in range(30)))) == MOST_NAMED


async def test_what_the_hosts_principal_takes_is_known(http: httpx.AsyncClient) -> None:
    """It is the host's way to say who asks."""
    answer = await http.put(f"{POLICY}?tenant=a&wait=0", json={"require_tlp": True})
    assert answer.status_code == 200, answer.text


async def test_reading_ignores_what_it_does_not_take(http: httpx.AsyncClient) -> None:
    """A host's middleware may read it, such as the token of an event stream."""
    assert (await http.get("/system/llm/providers?token=abc")).status_code == 200


async def test_a_caller_who_may_not_still_learns_nothing_else(http: httpx.AsyncClient) -> None:
    """Known parameters lead to the refusal that they always led to."""
    headers = {"X-Role": "viewer"}
    answer = await http.put(f"{POLICY}?wait=0", json={}, headers=headers)
    assert answer.status_code == 403


async def test_every_call_that_changes_or_tests_refuses_unknown_parameters(
    http: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Whatever it is, and before it looks at a body."""
    app = FastAPI()
    include_routers(app, principal=_user, settings=runtime.settings)
    calls = [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods.keys() - {"get"}
    ]
    assert len(calls) > 10
    for method, path in calls:
        answer = await http.request(method, f"http://host{path}?nonesuch=1", json={})
        problem = answer.json()
        if path.startswith("/v1/"):  # in the shape of OpenAI's errors
            assert (answer.status_code, problem["error"]["param"]) == (400, "query.nonesuch")
            continue
        fields = [error["field"] for error in problem.get("errors", [])]
        assert (answer.status_code, fields) == (422, ["query.nonesuch"]), (method, path)

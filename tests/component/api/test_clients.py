"""Machine clients over REST: the secret is shown once, and no other call takes it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

from aurorasoc.api.app import include_routers
from aurorasoc.core.access.tokens import create_token
from aurorasoc.runtime import Runtime

SIEM: Final = {"name": "siem", "max_tlp": "AMBER"}


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


async def test_the_secret_is_shown_once(http: httpx.AsyncClient) -> None:
    """Caches may not keep it, and the list doesn't have it."""
    made = await http.post("/clients", json=SIEM)
    secret = made.json()["secret"]
    listed = await http.get("/clients")
    history = await http.get("/system/llm/history/1")
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert (secret[:4], len(secret)) == ("aur_", 47)
    assert [one["name"] for one in listed.json()["clients"]] == ["siem"]
    assert secret not in listed.text + history.text


async def test_a_new_secret_comes_with_the_end_of_the_old_one(http: httpx.AsyncClient) -> None:
    """So that whoever changes the program knows how long there is."""
    await http.post("/clients", json=SIEM)
    replaced = await http.post("/clients/siem/secret", json={"grace_seconds": 60})
    assert (replaced.status_code, replaced.headers["Cache-Control"]) == (200, "no-store")
    assert replaced.json()["old_secret_until"] is not None
    assert replaced.json()["max_tlp"] == "AMBER"


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1, "soon", 1.5, None])
async def test_a_time_of_grace_is_bounded(http: httpx.AsyncClient, seconds: object) -> None:
    """An old secret doesn't stay for ever."""
    await http.post("/clients", json=SIEM)
    refused = await http.post("/clients/siem/secret", json={"grace_seconds": seconds})
    assert refused.status_code == 422


async def test_changes_say_who_has_adopted_them(http: httpx.AsyncClient) -> None:
    """As all changes do."""
    made = await http.post("/clients?wait=0", json=SIEM)
    revoked = await http.delete("/clients/siem?wait=0")
    assert made.json()["adoption"] == {"adopted": True, "pending": []}
    assert revoked.json() == {
        "name": "siem",
        "revision": made.json()["revision"] + 1,
        "adoption": {"adopted": True, "pending": []},
    }


async def test_changes_hold_to_if_match(http: httpx.AsyncClient) -> None:
    """As all changes do."""
    stale = {"If-Match": '"7"'}
    assert (await http.post("/clients", json=SIEM, headers=stale)).status_code == 412
    assert (await http.post("/clients", json=SIEM)).status_code == 201
    assert (await http.delete("/clients/siem", headers=stale)).status_code == 412
    assert (await http.post("/clients", json=SIEM)).status_code == 409


@pytest.mark.parametrize(
    "call",
    [("GET", "/clients"), ("POST", "/chat"), ("GET", "/system/llm/providers")],
    ids=" ".join,
)
async def test_no_call_but_the_doors_takes_a_clients_secret(
    http: httpx.AsyncClient, call: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, without judging the secret, and neither answer nor log repeats it."""
    secret = (await http.post("/clients", json=SIEM)).json()["secret"]
    unknown = "aur_" + "A" * 43
    answers = [
        await http.request(*call, headers={"Authorization": f"Bearer {sent}"})
        for sent in (secret, unknown)
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert "by the door alone" in answers[0].json()["detail"]
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err + answers[0].text


@pytest.mark.parametrize(
    "place",
    [
        ("POST", "/clients", {"name": "SECRET"}),
        ("POST", "/clients", {"name": "x", "max_tlp": "SECRET"}),
        ("POST", "/clients", {"name": "x", "SECRET": "SECRET"}),
        ("POST", "/clients", {"name": "x", "budget": {"SECRET": 1}}),
        ("POST", "/clients/siem/secret", {"grace_seconds": "SECRET"}),
        ("POST", "/clients/SECRET/secret", {"grace_seconds": 1}),
        ("DELETE", "/clients/SECRET", None),
        ("PUT", "/system/llm/hosted-traffic", {"state": "stopped", "reason": "for SECRET"}),
        ("PUT", "/system/llm/connections/lab", {"provider": "vllm", "model": "SECRET"}),
    ],
    ids=str,
)
async def test_a_misplaced_secret_is_neither_taken_nor_repeated(
    http: httpx.AsyncClient,
    place: tuple[str, str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wherever somebody pastes it."""
    secret = (await http.post("/clients", json=SIEM)).json()["secret"]
    capsys.readouterr()
    method, path, body = place
    sent = json.loads(json.dumps(body).replace("SECRET", secret))
    answer = await http.request(method, path.replace("SECRET", secret), json=sent)
    printed = capsys.readouterr()
    assert answer.status_code in {404, 422}
    assert secret not in answer.text + printed.out + printed.err

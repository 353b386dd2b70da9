"""Machine clients at the door: their secret opens it, their ceiling labels what they send."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.component.in_line import InLine
from tests.component.open_door import door, error_of, line, opened, servers
from tests.examples import JWT_SECRET
from tests.world import patient
from tests.world.door import Door
from tests.world.service import bearer, token

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here

NAME: Final = "case-management"


@pytest.fixture
def admin(door: Door) -> Iterator[httpx.Client]:
    """Return an admin of the same service."""
    url = door.url.removesuffix("/v1") + "/api/v1"
    key = token("admin", subject="root", secret=JWT_SECRET)
    with patient.client(base_url=url, headers=bearer(key)) as http:
        yield http


@pytest.fixture
def secret(admin: httpx.Client) -> Iterator[str]:
    """Return the secret of a client that may send up to GREEN."""
    made = admin.post("/clients", json={"name": NAME, "max_tlp": "GREEN"})
    assert made.status_code == 201, made.text
    yield made.json()["secret"]
    admin.delete(f"/clients/{NAME}")


def _ask(door: Door, secret: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:  # noqa: ANN401 - httpx's
    return Door(door.url, secret).ask(headers, **fields)


def test_a_clients_secret_opens_the_door_and_nothing_else(
    door: Door, admin: httpx.Client, secret: str
) -> None:
    """Models and completions, whole and streamed."""
    with door.client(key=secret) as http:
        assert http.get("/models").status_code == 200
    assert _ask(door, secret).status_code == 200
    assert "[DONE]" in _ask(door, secret, stream=True).text
    assert admin.get("/system/llm/providers", headers=bearer(secret)).status_code == 401


def test_a_client_without_a_label_sends_its_ceiling(
    door: Door, admin: httpx.Client, secret: str
) -> None:
    """Where hosted connections may see CLEAR at most, GREEN stays at the local one."""
    assert _ask(door, secret).headers["x-aurora-connection"] == "first"
    assert admin.put("/system/llm/policy", json={"hosted_max_tlp": "CLEAR"}).status_code == 200
    try:
        assert _ask(door, secret).headers["x-aurora-connection"] == "third"
        assert _ask(door, secret, {"X-TLP": "CLEAR"}).headers["x-aurora-connection"] == "first"
    finally:
        admin.put("/system/llm/policy", json={"hosted_max_tlp": "GREEN"})


@pytest.mark.parametrize("streams", [False, True])
def test_a_label_above_the_clients_ceiling_is_refused_and_audited(
    door: Door, line: InLine, admin: httpx.Client, secret: str, *, streams: bool
) -> None:
    """Nobody is asked, not even who might see it."""
    line.clear()
    response = _ask(door, secret, {"X-TLP": "AMBER"}, stream=streams)
    assert (response.status_code, error_of(response)["code"]) == (403, "tlp_refused")
    assert not line.asked
    entries = admin.get("/audit", params={"action": "tlp.refused"}).json()["entries"]
    assert any(
        (entry["actor"], entry["target"], entry["details"]["tlp"])
        == (f"client:{NAME}", "door", "AMBER")
        for entry in entries
    ), entries


def test_a_revoked_client_is_refused(door: Door, admin: httpx.Client, secret: str) -> None:
    """In OpenAI's shape."""
    assert admin.delete(f"/clients/{NAME}").status_code == 200
    response = _ask(door, secret)
    assert (response.status_code, error_of(response)["code"]) == (401, "unauthenticated")

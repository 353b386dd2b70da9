"""Named connections over REST, attacked: odd names, misplaced secrets, redirects, races."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import FastAPI, Header
from sqlalchemy import select

from aurorasoc.api import rate_limit
from aurorasoc.api.app import include_routers
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World
from tests.world.vendor import Fault

SECRET: Final = "sk-proj-0a1b2c3d4e5f6071829"
CAPITALS: Final = "AKIA0A1B2C3D4E5F6G7H"
LAB: Final = {"provider": "vllm", "base_url": "http://127.0.0.1:18001/v1", "model": "m"}
CONNECTIONS: Final = "/system/llm/connections"
ASSIGNMENTS: Final = "/system/llm/assignments"
ADDRESS: Final = "/system/llm/address"
EXPLAIN: Final = "/system/llm/policy/explain"


async def _user(x_role: Annotated[str, Header()] = "admin") -> Principal:
    return Principal.of("someone", roles=[x_role])


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to our routers in an app of this process."""
    app = FastAPI()
    include_routers(app, principal=_user, settings=runtime.settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://host/api/v1") as client,
    ):
        yield client


MISPLACED: Final[dict[str, tuple[str, str, Any]]] = {
    "a connection's name": ("PUT", f"{CONNECTIONS}/{SECRET}", LAB),
    "an agent's name": ("PUT", ASSIGNMENTS, {"agents": {SECRET: {"connection": "vllm"}}}),
    "an agent's wrong name": ("PUT", ASSIGNMENTS, {"agents": {f"{SECRET} X": None}}),
    "the name of a wrong assignment": ("PUT", ASSIGNMENTS, {"agents": {SECRET: 1}}),
    "a role": ("PUT", ASSIGNMENTS, {"roles": {SECRET: None}}),
    "an assigned connection": ("PUT", ASSIGNMENTS, {"agents": {"a": {"connection": SECRET}}}),
    "a planned connection": ("POST", EXPLAIN, {"planned": {"connections": {SECRET: None}}}),
    "a connection that would be added": (
        "POST",
        EXPLAIN,
        {"planned": {"connections": {SECRET: {"provider": "vllm", "max_tlp": "RED"}}}},
    ),
    "a planned switch": ("POST", EXPLAIN, {"planned": {"provider": SECRET}}),
    "who asks": ("POST", EXPLAIN, {"agent": SECRET}),
    "an address": ("PUT", f"{CONNECTIONS}/lab", LAB | {"base_url": f"http://h/v1?key={SECRET}"}),
    "an option": ("PUT", f"{CONNECTIONS}/lab", LAB | {"options": {SECRET: 1}}),
    "a header": ("PUT", f"{CONNECTIONS}/lab", LAB | {"options": {"headers": {"x-a": SECRET}}}),
    "a model": ("PUT", f"{CONNECTIONS}/lab", LAB | {"model": SECRET}),
    "a switch's model": ("PUT", "/system/llm/config", {"provider": "vllm", "model": SECRET}),
    "an assigned model": (
        "PUT",
        ASSIGNMENTS,
        {"agents": {"a": {"connection": "vllm", "model": SECRET}}},
    ),
    "a switch in capitals": ("PUT", "/system/llm/config", {"provider": CAPITALS}),
    "a name in capitals": ("PUT", f"{CONNECTIONS}/{CAPITALS}", LAB),
    "a ceiling": ("PUT", f"{CONNECTIONS}/lab", LAB | {"max_tlp": SECRET}),
    "an unknown field": ("PUT", f"{CONNECTIONS}/lab", LAB | {SECRET: 1}),
}


@pytest.mark.parametrize("place", MISPLACED)
async def test_a_key_in_the_wrong_place_is_neither_taken_nor_repeated(
    http: httpx.AsyncClient, runtime: Runtime, place: str
) -> None:
    """A name of its own choosing is a caller's input, too."""
    method, path, body = MISPLACED[place]
    before = runtime.adoption.snapshot
    answer = await http.request(method, path, json=body)
    assert answer.status_code == 422, answer.text
    shown = answer.text.lower()
    assert SECRET not in shown
    assert CAPITALS.lower() not in shown
    assert runtime.adoption.snapshot is before


async def test_a_reset_is_previewed_as_a_rollback_is(
    http: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nothing is changed; the values are those in force, now and then."""
    await http.put("/system/llm/config", json={"provider": "ollama", "model": "m-two"})
    before = runtime.adoption.snapshot
    preview = (await http.get("/system/llm/config/reset")).json()
    assert preview["based_on"] == before.revision
    assert {one["field"] for one in preview["changes"]} >= {"backend", "providers.ollama.model"}
    assert runtime.adoption.snapshot is before
    rollback = (await http.get(f"/system/llm/history/{before.revision}/rollback")).json()
    assert rollback.keys() - preview.keys() == {"to_revision"}


async def test_a_misspelt_field_is_refused_with_the_nearest(http: httpx.AsyncClient) -> None:
    """The name that was sent isn't repeated."""
    answer = await http.put(f"{CONNECTIONS}/lab", json=LAB | {"base_ulr": "http://h/v1"})
    assert answer.json()["errors"] == [
        {"field": "body.(unknown field)", "message": "Unknown field: did you mean base_url?"}
    ]


NAMES: Final = ("auto", "1lab", "a" * 33, "a%20b", "a%00b", "a%0A", "%C3%A4", "a.b")


@pytest.mark.parametrize("name", NAMES)
async def test_an_odd_name_is_refused(http: httpx.AsyncClient, name: str) -> None:
    """Names become variables and paths in Vault; one that can't be is no connection's."""
    assert (await http.put(f"{CONNECTIONS}/{name}", json=LAB)).json()["code"] == "invalid_input"
    assert (await http.delete(f"{CONNECTIONS}/{name}")).json()["code"] == "unknown_provider"


async def test_the_history_shows_options(http: httpx.AsyncClient) -> None:
    """Numbers as numbers."""
    options = {"temperature": 1.0, "max_output_tokens": 1, "headers": {"x-team": "soc"}}
    await http.put(f"{CONNECTIONS}/lab", json=LAB | {"options": options})
    revision = (await http.get("/system/llm/history/1")).json()
    shown = {change["field"]: repr(change["after"]) for change in revision["changes"]}
    assert shown["providers.lab.options.temperature"] == "1.0"
    assert shown["providers.lab.options.max_output_tokens"] == "1"
    assert shown["providers.lab.options.headers.x-team"] == "'soc'"


async def test_a_redirect_is_not_followed_when_a_new_connection_is_tested(
    http: httpx.AsyncClient, runtime: Runtime, world: World
) -> None:
    """Nothing is made, and whoever it led to isn't asked."""
    elsewhere = f"http://127.0.0.1:{world.ollama.port}/v1/chat/completions"
    world.keyed.faults.set(Fault(redirect=elsewhere))
    body = LAB | {"base_url": f"http://127.0.0.1:{world.keyed.port}/v1", "api_key": KEYS["vllm"]}
    answer = await http.put(f"{CONNECTIONS}/lab?verify=true", json=body)
    assert (answer.status_code, answer.json()["code"]) == (502, "bad_response")
    assert world.ollama.requests == []
    assert "lab" not in runtime.adoption.snapshot.connections


INTERNAL: Final = {
    "a private one of a hosted provider": ("openai", "http://10.0.0.1/v1"),
    "the cloud's metadata": ("vllm", "http://169.254.169.254/v1"),
    "a name that leads to loopback": ("openai", "http://localhost:1/v1"),
}


@pytest.mark.parametrize("address", INTERNAL)
async def test_an_internal_address_is_not_tested(
    http: httpx.AsyncClient, runtime: Runtime, address: str
) -> None:
    """Refused before the test is on record, so before anything is sent."""
    provider, base_url = INTERNAL[address]
    body = {"provider": provider, "base_url": base_url, "model": "m", "api_key": KEYS["vllm"]}
    answer = await http.put(f"{CONNECTIONS}/inside?verify=true", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    async with runtime.database.reading() as session:
        assert (await session.scalars(select(AuditRow))).all() == []


async def test_racing_admins_leave_a_connection_whole_or_none(
    http: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Made, switched to, assigned and deleted at once: whoever uses it finds it there."""
    for _ in range(5):
        answers = await asyncio.gather(
            http.put(f"{CONNECTIONS}/lab", json=LAB),
            http.put("/system/llm/config", json={"provider": "lab"}),
            http.put(ASSIGNMENTS, json={"agents": {"a": {"connection": "lab"}}}),
            http.delete(f"{CONNECTIONS}/lab"),
            http.put(ASSIGNMENTS, json={"agents": {"a": None}}),
            http.put("/system/llm/config", json={"provider": "vllm"}),
            http.delete(f"{CONNECTIONS}/lab"),
        )
        assert {answer.status_code for answer in answers} <= {200, 404, 409, 422}
        now = await runtime.adoption.adopt()
        assert {now.requested.value, *now.assignments.connections} <= now.connections.keys()


async def test_of_admins_who_read_the_same_revision_one_changes_a_connection(
    http: httpx.AsyncClient,
) -> None:
    """`If-Match` holds for each of the new calls."""
    await http.put(f"{CONNECTIONS}/lab", json=LAB)
    match = {"If-Match": '"1"'}
    answers = await asyncio.gather(
        http.put(f"{CONNECTIONS}/lab", json=LAB | {"model": "n"}, headers=match),
        http.delete(f"{CONNECTIONS}/lab", headers=match),
        http.put(ASSIGNMENTS, json={"agents": {"a": {"connection": "lab"}}}, headers=match),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]


@pytest.mark.parametrize("role", ["viewer", "analyst"])
async def test_who_may_only_read_explains_and_changes_nothing(
    http: httpx.AsyncClient, runtime: Runtime, role: str
) -> None:
    """What is explained holds no address and no key's end."""
    key = KEYS["vllm"]
    await http.put(f"{CONNECTIONS}/lab", json=LAB | {"api_key": key})
    before, who = runtime.adoption.snapshot, {"X-Role": role}
    for method, path, body in (
        ("PUT", f"{CONNECTIONS}/lab", LAB),
        ("DELETE", f"{CONNECTIONS}/lab", None),
        ("PUT", ASSIGNMENTS, {}),
    ):
        assert (await http.request(method, path, json=body, headers=who)).status_code == 403
    planned = {"connections": {"lab": {"max_tlp": "RED"}}}
    answer = await http.post(EXPLAIN, json={"tlp": "RED", "planned": planned}, headers=who)
    assert answer.status_code == 200
    assert runtime.adoption.snapshot is before
    for hidden in ("127.0.0.1", key[-4:], "http"):
        assert hidden not in answer.text


async def test_a_body_that_is_not_json_says_where_it_stops_to_be(http: httpx.AsyncClient) -> None:
    """A comma too many is found by its place; nothing of the body is repeated."""
    body = '{"provider": "vllm",}'
    answer = await http.put(
        f"{CONNECTIONS}/lab", content=body, headers={"Content-Type": "application/json"}
    )
    errors = [{"field": "body", "message": f"not JSON: see character {body.index('}') + 1}"}]
    assert (answer.status_code, answer.json()["errors"]) == (422, errors)


async def test_a_list_of_models_says_whose_it_is(http: httpx.AsyncClient, world: World) -> None:
    """The connection's name beside its provider, also where two lead to the same address."""
    address = {"base_url": f"{world.server('openai').url}/v1", "api_key": KEYS["openai"]}
    lists = []
    for name in ("eu", "us"):
        await http.put(
            f"{CONNECTIONS}/{name}", json={"provider": "openai", "model": "m", **address}
        )
        lists.append((await http.get(f"/system/llm/providers/{name}/models")).json())
    assert [(one["connection"], one["provider"]) for one in lists] == [
        ("eu", "openai"),
        ("us", "openai"),
    ]


@pytest.mark.parametrize(
    ("provider", "text", "calls_to"),
    [
        ("openai", "gw.example/v1/chat/completions", "https://gw.example/v1/chat/completions"),
        ("Anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("ollama", "gpu:11434", "http://gpu:11434/v1/chat/completions"),
    ],
)
async def test_an_address_is_understood_before_anything_is_saved(
    http: httpx.AsyncClient, world: World, provider: str, text: str, calls_to: str
) -> None:
    """What the page shows below the field; nobody is called."""
    answer = await http.post(ADDRESS, json={"provider": provider, "base_url": text})
    assert (answer.status_code, answer.json()["calls_to"]) == (200, calls_to)
    assert world.keyed.requests == world.ollama.requests == []


@pytest.mark.parametrize(
    ("provider", "text"), [("openai", "two words"), ("gemini", "https://gw.example")]
)
async def test_an_address_that_cannot_be_used_is_refused_with_the_reason(
    http: httpx.AsyncClient, provider: str, text: str
) -> None:
    """The same as when it is saved."""
    typed = {"provider": provider, "base_url": text}
    refused = await http.post(ADDRESS, json=typed)
    saved = await http.put(f"{CONNECTIONS}/new", json=typed)
    assert (refused.status_code, refused.json()["detail"]) == (422, saved.json()["detail"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/system/llm/config", {"provider": " Ollama"}),
        ("PUT", f"{CONNECTIONS}/vLLM-Lab", LAB | {"provider": "vLLM"}),
        ("PUT", ASSIGNMENTS, {"agents": {"a": {"connection": "vLLM"}}}),
        ("PUT", "/system/llm/policy", {"local_backend": "Ollama"}),
        ("POST", EXPLAIN, {"planned": {"provider": "Auto"}}),
        ("POST", EXPLAIN, {"planned": {"connections": {"OpenAI": {"max_tlp": "RED"}}}}),
        ("PUT", "/system/llm/providers/OpenAI/key", {"api_key": KEYS["openai"]}),
    ],
)
async def test_a_name_in_capitals_is_the_connection_that_is_meant(
    http: httpx.AsyncClient, runtime: Runtime, method: str, path: str, body: object
) -> None:
    """In a path and in a body: no connection's name has capitals."""
    answer = await http.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    names = runtime.adoption.snapshot.connections
    assert all(name == name.lower() for name in names)


async def test_lists_with_unsaved_values_are_counted_as_tests(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may try a key at an address."""
    monkeypatch.setattr(rate_limit, "_tests", deque())
    monkeypatch.setattr(rate_limit, "TESTS_PER_MINUTE", 1)
    first = await http.post("/system/llm/providers/vllm/models", json={})
    assert first.status_code == 200, first.text
    for what in ("models", "test"):
        answer = await http.post(f"/system/llm/providers/vllm/{what}", json={})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")


async def test_a_name_where_a_list_of_names_belongs_is_refused_in_the_words_of_json(
    http: httpx.AsyncClient,
) -> None:
    """A caller has no tuples."""
    answer = await http.put("/system/llm/policy", json={"fallbacks": "vllm"})
    assert answer.json()["errors"] == [
        {"field": "body.fallbacks", "message": "Input should be a valid list"}
    ]

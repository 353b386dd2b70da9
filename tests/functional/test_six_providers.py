"""Six providers, one path: store a key, switch, chat; and the same after a restart.

The hosted ones are reached under their vendors' own names, over verified TLS, through a proxy.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.world.connect_proxy import ConnectProxy
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import CONFIG, PROVIDERS, Service, asked, events
from tests.world.vendor import Exchange, VendorServer

COMPLETIONS: Final = "/v1/chat/completions"


class Row(NamedTuple):
    """What a vendor is asked, and where; `host` is None for servers on loopback."""

    model: str
    orchestrator: str
    path: str
    header: str
    prefix: str = ""
    host: str | None = None
    stream_path: str | None = None


TABLE: Final = {
    "ollama": Row("granite4:8b", "granite4:dense", COMPLETIONS, "authorization", "Bearer "),
    "vllm": Row("granite-soc-specialist", "granite-large", COMPLETIONS, "authorization", "Bearer "),
    "openai": Row(
        "gpt-4o", "gpt-4.1", COMPLETIONS, "authorization", "Bearer ", host="api.openai.com"
    ),
    "deepseek": Row(
        "deepseek-v4-flash",
        "deepseek-v4-pro",
        "/chat/completions",
        "authorization",
        "Bearer ",
        host="api.deepseek.com",
    ),
    "gemini": Row(
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "/v1beta/models/{model}:generateContent",
        "x-goog-api-key",
        host="generativelanguage.googleapis.com",
        stream_path="/v1beta/models/{model}:streamGenerateContent",
    ),
    "anthropic": Row(
        "claude-sonnet-4-6",
        "claude-opus-4-6",
        "/v1/messages",
        "x-api-key",
        host="api.anthropic.com",
    ),
}
every_provider = pytest.mark.parametrize("provider", TABLE)
every_hosted = pytest.mark.parametrize("provider", VENDOR_KEYS)


class Restarted(NamedTuple):
    """A service that was told everything about all six, and what was active after its restart."""

    service: Service
    active: dict[str, Any]


@pytest.fixture(scope="module")
def after_restart(
    world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Restarted]:
    """Tell a service everything about all six, and restart it."""
    with Service(tmp_path_factory.mktemp("restarted"), world_variables) as service:
        for provider in TABLE:
            make_active(service, provider)
        service.restart()
        yield Restarted(service, service.inventory()["active"])


@pytest.fixture
def restarted(after_restart: Restarted) -> Service:
    """Return the service that was restarted; what is active there is each test's own."""
    return after_restart.service


def make_active(service: Service, provider: str) -> None:
    """Store the provider's key, where it takes one, and switch with both models."""
    admin, row = service.client(), TABLE[provider]
    if provider in VENDOR_KEYS:
        body = {"api_key": VENDOR_KEYS[provider]}
        stored = admin.put(f"{PROVIDERS}/{provider}/key", json=body)
        assert stored.status_code == 200, stored.text
    body = {"provider": provider, "model": row.model, "orchestrator_model": row.orchestrator}
    switched = admin.put(CONFIG, json=body)
    assert switched.status_code == 200, switched.text


def only_request(provider: str, hosted: VendorServer, local_servers: VendorServer) -> Exchange:
    """Return the one request that arrived anywhere."""
    mine, other = hosted.requests, local_servers.requests
    if TABLE[provider].host is None:
        mine, other = other, mine
    assert other == []
    (request,) = mine
    return request


def check(request: Exchange, provider: str, model: str, *, stream: bool = False) -> None:
    """Hold a request to the table: place, key and model."""
    row = TABLE[provider]
    path = (row.stream_path if stream else None) or row.path
    assert request.path == path.format(model=model)
    assert request.headers[row.header] == row.prefix + VENDOR_KEYS.get(provider, "not-needed")
    assert request.tls is (row.host is not None)
    if row.host is not None:
        assert request.host == row.host
    if "{model}" not in path:
        assert request.body["model"] == model


@every_provider
def test_chat_is_answered_by_the_provider_that_was_switched_to(
    service: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """After the switch the next chat goes to that provider, with its key and its model."""
    make_active(service, provider)
    row = TABLE[provider]
    answer = service.client("analyst").post("/chat", json=asked()).json()
    assert answer["message"] == {"role": "assistant", "content": f"{row.model} says: pong"}
    assert (answer["provider"], answer["model"]) == (provider, row.model)
    assert answer["revision"] == service.inventory()["revision"]
    assert answer["usage"]["total_tokens"] == 10
    check(only_request(provider, hosted, local_servers), provider, row.model)


@every_provider
def test_streamed_chat_is_answered_by_the_provider_that_was_switched_to(
    service: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """A streamed chat arrives in pieces, from that provider, and says who it was."""
    make_active(service, provider)
    row = TABLE[provider]
    answer = service.client("analyst").post("/chat", json=asked(stream=True))
    *deltas, (last, done) = events(answer.text)
    assert "".join(data["content"] for _, data in deltas) == f"{row.model} says: pong"
    assert len(deltas) > 1
    assert last == "done"
    assert (done["provider"], done["model"]) == (provider, row.model)
    assert done["usage"]["total_tokens"] == 10
    check(only_request(provider, hosted, local_servers), provider, row.model, stream=True)


@every_provider
def test_orchestrator_role_uses_the_orchestrator_model(
    service: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """The other role goes to the same provider with its other model."""
    make_active(service, provider)
    row = TABLE[provider]
    answer = service.client("analyst").post("/chat", json=asked(role="orchestrator")).json()
    assert answer["model"] == row.orchestrator
    check(only_request(provider, hosted, local_servers), provider, row.orchestrator)


@every_provider
def test_provider_can_be_tested_on_the_path_of_production(
    service: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """A test makes one call, with the key and model that production would use."""
    make_active(service, provider)
    tester = service.client(subject=f"tester-of-{provider}")
    answer = tester.post(f"{PROVIDERS}/{provider}/test").json()
    assert (answer["ok"], answer["code"], answer["provider"]) == (True, "ok", provider)
    requests = hosted.requests + local_servers.requests
    check(requests[0], provider, TABLE[provider].model)


@every_hosted
def test_wrong_key_is_the_providers_to_refuse(
    service: Service, hosted: VendorServer, provider: str
) -> None:
    """A key that the vendor refuses is a 502 with its code; the vendor's words stay outside."""
    make_active(service, provider)
    wrong = f"wrong-{provider}-0123456789"
    service.client().put(f"{PROVIDERS}/{provider}/key", json={"api_key": wrong})
    answer = service.client("analyst").post("/chat", json=asked())
    assert (answer.status_code, answer.json()["code"]) == (502, "auth_failed")
    assert wrong not in answer.text
    assert wrong in str(hosted.requests[-1].headers)


def test_runtime_choice_stands_after_a_restart(after_restart: Restarted) -> None:
    """What was active before the restart is active after it, and so says its source."""
    active = after_restart.active
    last = list(TABLE)[-1]
    assert (active["backend"], active["source"], active["ready"]) == (last, "runtime", True)


@every_provider
def test_after_a_restart_the_provider_answers_without_its_key_again(
    restarted: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """Keys and models that were set before a restart serve after it."""
    hosted.clear()
    local_servers.clear()
    row = TABLE[provider]
    assert restarted.client().put(CONFIG, json={"provider": provider}).status_code == 200
    answer = restarted.client("analyst").post("/chat", json=asked()).json()
    assert answer["message"]["content"] == f"{row.model} says: pong"
    check(only_request(provider, hosted, local_servers), provider, row.model)


@every_provider
def test_after_a_restart_the_provider_streams(
    restarted: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """Streams, too, are answered after a restart with what was set before it."""
    hosted.clear()
    local_servers.clear()
    model = TABLE[provider].model
    assert restarted.client().put(CONFIG, json={"provider": provider}).status_code == 200
    answer = restarted.client("analyst").post("/chat", json=asked(stream=True))
    assert events(answer.text)[-1][0] == "done"
    check(only_request(provider, hosted, local_servers), provider, model, stream=True)


def test_nothing_but_the_vendors_was_called(
    service: Service, hosted: VendorServer, egress: ConnectProxy
) -> None:
    """Through a switch to each hosted vendor, no other name is ever asked for."""
    egress.clear()
    hosted.clear()
    for provider in VENDOR_KEYS:
        make_active(service, provider)
        service.client("analyst").post("/chat", json=asked())
    hosts = {TABLE[provider].host for provider in VENDOR_KEYS}
    assert {host for host, _ in egress.connects} <= hosts
    assert egress.refused == []
    assert {request.host for request in hosted.requests} == hosts


def test_keys_are_in_no_answer_log_or_audit_entry(service: Service, admin: httpx.Client) -> None:
    """After each provider was used, no key stands in inventory, audit log or service log."""
    for provider in TABLE:
        make_active(service, provider)
        service.client("analyst").post("/chat", json=asked())
    shown = admin.get(PROVIDERS).text + admin.get("/audit").text + service.output
    assert [key for key in VENDOR_KEYS.values() if key in shown] == []

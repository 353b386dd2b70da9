"""The vendor server keeps its promises: keys, models, records and faults."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jsonschema
import pytest

from tests.world import patient
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.vendor import Fault, Refusal, VendorServer

KEYS = {"openai": "sk-openai", "deepseek": "sk-deepseek", "anthropic": "sk-ant", "gemini": "AIza"}
MODELS = {"openai": ["gpt-4o"], "deepseek": ["deepseek-v4-flash"]}
GEMINI = "/v1beta/models/gemini-2.5-pro"


@pytest.fixture
def vendor(ca: CertificateAuthority) -> Iterator[VendorServer]:
    """Play all vendors with keys, on plain and TLS ports."""
    with VendorServer(KEYS, MODELS, tls=ca.issue().context()) as server:
        yield server


@pytest.fixture
def client(vendor: VendorServer) -> Iterator[httpx.Client]:
    """Talk to the plain port."""
    with patient.client(base_url=vendor.url) as client:
        yield client


def chat(
    client: httpx.Client,
    key: str = "sk-openai",
    model: str = "gpt-4o",
    **more: Any,
) -> httpx.Response:
    """Post a chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": "ping"}], **more}
    headers = {"Authorization": f"Bearer {key}"}
    return client.post("/v1/chat/completions", json=body, headers=headers)


def test_requests_are_recorded_whole(client: httpx.Client, vendor: VendorServer) -> None:
    """Method, path, query, host, headers and parsed body of each request can be read."""
    client.get("/v1/models", params={"a": "1"}, headers={"Authorization": "Bearer sk-openai"})
    chat(client)
    listing, completion = vendor.requests
    assert (listing.method, listing.path, listing.query) == ("GET", "/v1/models", {"a": ["1"]})
    assert listing.headers["authorization"] == "Bearer sk-openai"
    assert completion.body["messages"][0]["content"] == "ping"
    vendor.clear()
    assert vendor.requests == []


def test_loopback_tells_vendors_apart_by_key(client: httpx.Client) -> None:
    """On loopback the key decides who answers, and a key of nobody is refused."""
    assert "gpt-4o says" in chat(client).text
    assert "deepseek-v4-flash says" in chat(client, "sk-deepseek", "deepseek-v4-flash").text
    assert chat(client, "sk-nobody").status_code == 401


def test_rotated_key_is_in_force_at_once(client: httpx.Client, vendor: VendorServer) -> None:
    """A key changed at runtime refuses the old one from the next request on."""
    vendor.keys["openai"] = "sk-new"
    assert chat(client, "sk-openai").status_code == 401
    assert chat(client, "sk-new").status_code == 200


@pytest.mark.parametrize(
    ("host", "path", "header", "status"),
    [
        ("api.openai.com", "/v1/models", {"Authorization": "Bearer {}"}, 401),
        ("api.deepseek.com", "/models", {"Authorization": "Bearer {}"}, 401),
        ("api.anthropic.com", "/v1/models", {"x-api-key": "{}", "anthropic-version": "1"}, 401),
        ("generativelanguage.googleapis.com", "/v1beta/models", {"x-goog-api-key": "{}"}, 400),
    ],
)
def test_real_host_names_ask_for_that_vendors_key(
    vendor: VendorServer,
    ca: CertificateAuthority,
    *,
    host: str,
    path: str,
    header: dict[str, str],
    status: int,
) -> None:
    """Under a vendor's name, over verified TLS, its own key opens and every other is refused."""
    name = "gemini" if "google" in host else host.split(".", 2)[1]
    with (
        ConnectProxy(vendor.tls_port) as proxy,
        patient.client(proxy=proxy.url, verify=ca.client_context()) as client,
    ):
        for key in KEYS.values():
            headers = {field: value.format(key) for field, value in header.items()}
            answer = client.get(f"https://{host}{path}", headers=headers)
            assert answer.status_code == (200 if key == KEYS[name] else status)
        assert proxy.connects[0] == (host, 443)


def test_vendor_without_a_key_refuses_all_under_its_name(ca: CertificateAuthority) -> None:
    """Under a vendor's real name nobody gets in where no key was configured."""
    with (
        VendorServer(tls=ca.issue().context()) as vendor,
        patient.client(verify=ca.client_context()) as client,
    ):
        for host, status in {"api.openai.com": 401, "127.0.0.1": 200}.items():
            answer = client.get(f"{vendor.tls_url}/v1/models", headers={"Host": host})
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [("sk-openai", 404, "does not exist"), ("sk-deepseek", 400, "Model Not Exist")],
)
def test_unknown_model_is_refused_in_the_vendors_words(
    client: httpx.Client, key: str, status: int, message: str
) -> None:
    """An unknown model is a 404 at OpenAI and a 400 at DeepSeek."""
    answer = chat(client, key, "no-such-model")
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_all_but_deepseek_insist_on_v1(client: httpx.Client) -> None:
    """A base URL without /v1 fails as it does in reality."""
    body = {"messages": [{"role": "user", "content": "ping"}]}
    for key, model, status in [
        ("sk-openai", "gpt-4o", 401),  # only DeepSeek knows that path, and that key isn't its
        ("sk-deepseek", "deepseek-v4-flash", 200),
    ]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = client.post("/chat/completions", json=body | {"model": model}, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("plays", "expected"), [("vllm", {"/health"}), ("ollama", {"/api/tags"}), ("openai", set())]
)
def test_each_local_backend_answers_its_own_probe(plays: str, expected: set[str]) -> None:
    """/health is vLLM's and /api/tags is Ollama's: a server that plays one lacks the other."""
    with (
        VendorServer(models={plays: ["m"]}, plays=[plays]) as vendor,
        patient.client(base_url=vendor.url) as client,
    ):
        probes = ("/health", "/api/tags", "/v1/health")
        assert {path for path in probes if client.get(path).status_code == 200} == expected
        assert client.get("/v1/models").json()["data"][0]["id"] == "m"


SCHEMA = {
    "type": "object",
    "required": ["id", "kind", "items", "who", "ref", "few"],
    "properties": {
        "id": {"type": "string", "pattern": r"^T\d{4}(\.\d{3})?$"},
        "kind": {"enum": ["low", "high"]},
        "items": {"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 3}},
        "who": {"type": "string", "maxLength": 5},
        "ref": {"$ref": "#/$defs/Leaf"},
        "few": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "$defs": {"Leaf": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
}


def test_structured_answers_fit_the_schema(client: httpx.Client) -> None:
    """An answer to a JSON schema validates against it."""
    requested = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    content = chat(client, response_format=requested).json()["choices"][0]["message"]["content"]
    jsonschema.validate(json.loads(content), SCHEMA)


def test_deepseek_answers_json_objects_only(client: httpx.Client) -> None:
    """DeepSeek refuses json_schema, and takes json_object where the prompt speaks of JSON."""
    model = "deepseek-v4-flash"
    requested = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    assert chat(client, "sk-deepseek", model, response_format=requested).status_code == 400
    requested = {"type": "json_object"}
    assert chat(client, "sk-deepseek", model, response_format=requested).status_code == 400
    messages = [{"role": "user", "content": f"Answer in JSON that fits {json.dumps(SCHEMA)}, now."}]
    answer = chat(client, "sk-deepseek", model, response_format=requested, messages=messages)
    jsonschema.validate(json.loads(answer.json()["choices"][0]["message"]["content"]), SCHEMA)


def test_each_tool_is_called_once_then_the_talk_ends(client: httpx.Client) -> None:
    """An agent's loop of tool calls ends: every tool once, in order, then text."""
    names = ["search", "final_answer"]
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "ping"}]
    called = []
    for _ in range(3):
        message = chat(client, tools=tools, messages=messages).json()["choices"][0]["message"]
        messages.append(message)
        called += [call["function"]["name"] for call in message.get("tool_calls", [])]
    assert called == names
    assert messages[-1]["content"] == "gpt-4o says: pong"


def test_malformed_body_is_a_400(client: httpx.Client) -> None:
    """A body without messages is refused, not dropped."""
    headers = {"Authorization": "Bearer sk-openai"}
    answer = client.post("/v1/chat/completions", json={"model": "gpt-4o"}, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_is_spelled_by_every_vendor(
    client: httpx.Client, vendor: VendorServer, refusal: Refusal
) -> None:
    """Each vendor has its own words for each refusal, and none of them is a success."""
    vendor.faults.set(Fault(refusal=refusal))
    assert chat(client).status_code >= 400
    assert chat(client, "sk-deepseek", "deepseek-v4-flash").status_code >= 400
    for path in ("/v1/messages", f"{GEMINI}:generateContent"):
        answer = client.post(path, json={"model": "m"})
        assert answer.status_code >= 400
        assert answer.json()["error"]["message"]


def test_faults_answer_what_they_are_told(client: httpx.Client, vendor: VendorServer) -> None:
    """Status, body, media type, headers and redirects come out as set."""
    vendor.faults.set(Fault(status=418, body=b"tea", headers={"Retry-After": "3"}))
    assert (chat(client).status_code, chat(client).text) == (418, "tea")
    assert chat(client).headers["retry-after"] == "3"
    vendor.faults.set(Fault.html())
    assert chat(client).headers["content-type"].startswith("text/html")
    vendor.faults.set(Fault(redirect="http://127.0.0.1:9/"))
    assert chat(client).headers["location"] == "http://127.0.0.1:9/"
    vendor.faults.clear()
    assert chat(client).status_code == 200


def test_fault_is_limited_by_path_and_count(client: httpx.Client, vendor: VendorServer) -> None:
    """A fault for one path spares the others, and ends after its number of times."""
    vendor.faults.set(Fault(status=500, where="/chat/", times=2))
    headers = {"Authorization": "Bearer sk-openai"}
    assert client.get("/v1/models", headers=headers).status_code == 200
    assert [chat(client).status_code for _ in range(3)] == [500, 500, 200]


def test_echoed_key_stands_in_body_and_header(client: httpx.Client, vendor: VendorServer) -> None:
    """With the echo on, the received key comes back in the error body and in a header."""
    vendor.faults.set(Fault(echo_key=True))
    answer = chat(client, "sk-leaked-key")
    assert "sk-leaked-key" in answer.json()["error"]["message"]
    assert answer.headers["x-echoed-key"] == "sk-leaked-key"


def test_ignored_keys_let_everyone_in(client: httpx.Client, vendor: VendorServer) -> None:
    """A server that doesn't check keys answers any of them."""
    with vendor.faults.held(Fault(ignore_keys=True)):
        assert chat(client, "sk-nobody").status_code == 200
    assert chat(client, "sk-nobody").status_code == 401


def test_reset_breaks_the_connection(client: httpx.Client, vendor: VendorServer) -> None:
    """A reset leaves no answer at all, yet the request was recorded."""
    vendor.faults.set(Fault(reset=True))
    with pytest.raises(httpx.ReadError):
        chat(client)
    assert len(vendor.requests) == 1


def stream(client: httpx.Client) -> list[str]:
    """Read the data lines of a streamed chat."""
    answer = chat(client, stream=True, stream_options={"include_usage": True})
    return [line for line in answer.text.splitlines() if line.startswith("data:")]


def test_streams_can_be_cut_emptied_and_ended_early(
    client: httpx.Client, vendor: VendorServer
) -> None:
    """A whole stream ends with [DONE], a polite cut without it; a cut raises."""
    whole = stream(client)
    assert whole[-1] == "data: [DONE]"
    vendor.faults.set(Fault(cut_after=2, cut_politely=True))
    assert stream(client) == whole[:2]
    vendor.faults.set(Fault(empty_stream=True))
    assert stream(client) == []
    vendor.faults.set(Fault(cut_after=2))
    with pytest.raises(httpx.TransportError):
        stream(client)


def test_gate_holds_the_answer_until_it_opens(client: httpx.Client, vendor: VendorServer) -> None:
    """A request can be seen in flight, and is answered when the test says so."""
    gate = threading.Event()
    vendor.faults.set(Fault(gate=gate))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(chat, client)
        while not vendor.requests:
            time.sleep(0.01)
        assert not answer.done()
        gate.set()
        assert answer.result(60).status_code == 200


def test_delay_outlasts_an_impatient_caller(client: httpx.Client, vendor: VendorServer) -> None:
    """A delayed answer runs into the caller's time-out."""
    vendor.faults.set(Fault(delay=2))
    client.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        chat(client)

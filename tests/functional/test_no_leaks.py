"""A key is found nowhere: not in answers, logs, database, audit log, history or OpenAPI.

Canary keys go through every endpoint, in the right place and in wrong ones, to upstreams that
echo them in bodies and headers however they fail; then all that can be read is searched for
each of them, in common encodings.

Left out are the places where what an admin sends is meant to be shown again: a valid model
name, a valid base URL's path, and the subject of a valid token.
"""

import base64
import io
import json
import secrets
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.cli import main
from aurorasoc.errors import CALL_ERRORS, AuroraError, CutBeforeAnswer, EmptyAnswer, RequestRefused
from aurorasoc.llm.models.pool import get_chat_model
from aurorasoc.runtime import open_runtime
from tests.world import patient
from tests.world.canaries import SOAK, canaries, found
from tests.world.capture import CaptureServer
from tests.world.databases import DATABASES, Stored, bring_to_head
from tests.world.fixtures import VENDOR_KEYS
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, free_port
from tests.world.service import (
    API,
    CONFIG,
    PROVIDERS,
    SEED,
    SESSION_SECRET,
    Service,
    asked,
    bearer,
    service_env,
    token,
)
from tests.world.vendor import Fault, Refusal, VendorServer

ROOT: Final = Path(__file__).parents[2]
COUNT: Final = 50 if SOAK else 10
HOSTED: Final = tuple(VENDOR_KEYS)
ON_RESPONSES: Final = "gpt-5-codex"
"""A model that OpenAI answers on `/v1/responses` only."""

CALLED: Final[dict[str, dict[str, Any]]] = {
    "openai": {"provider": "openai", "model": None},
    "openai on responses": {"provider": "openai", "model": ON_RESPONSES},
    **{provider: {"provider": provider} for provider in HOSTED if provider != "openai"},
}
"""Whom canaries go to: a switch to each, where null is the boot default."""

STATUSES: Final = (200, 204, 400, 402, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504)
OURS: Final = {CutBeforeAnswer, EmptyAnswer, RequestRefused, *CALL_ERRORS.values()}
REDIRECTS: Final = (301, 302, 303, 307, 308)

COMPLETIONS: Final = "/v1/chat/completions"
Send = Callable[..., httpx.Response]
Faults = Iterable[Fault]


def completion(**fields: object) -> dict[str, object]:
    """Return the body of a completion by the door."""
    return {"model": "specialist", **asked(), **fields}


class Traffic:
    """A client that keeps every answer, head and body, to be searched."""

    def __init__(self, url: str) -> None:
        """Speak to the app at `url`, with a new connection for each subject."""
        self.answers: list[bytes] = []
        self.statuses: list[int] = []
        self.client = patient.client(base_url=f"{url}{API}", event_hooks={"response": [self._keep]})

    def _keep(self, answer: httpx.Response) -> None:
        answer.read()
        head = b"\n".join(b": ".join(pair) for pair in answer.headers.raw)
        self.answers.append(b"%d\n%s\n\n%s" % (answer.status_code, head, answer.content))
        self.statuses.append(answer.status_code)

    def by(self, subject: str, role: str = "admin") -> Send:
        """Return a function that sends requests as a subject."""
        headers = bearer(token(role, subject=subject))

        def send(method: str, path: str, **options: Any) -> httpx.Response:
            merged = {**headers, **options.pop("headers", {})}
            if path.startswith("/v1/"):  # the door is at the root
                path = f"{self.client.base_url}".removesuffix(f"{API}/") + path
            return self.client.request(method, path, headers=merged, **options)

        return send


def wrong_places(key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield requests that hold a key where none belongs: method, path below /api/v1, options."""
    quoted = quote(key, safe="")
    yield from _wrong_bodies(key)
    for path in (f"{PROVIDERS}/{quoted}/key", f"{PROVIDERS}/deepseek/{quoted}", f"/{quoted}"):
        for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
            yield method, path, {"json": {"api_key": key}}
    yield "POST", f"{PROVIDERS}/{quoted}/test", {}
    yield "GET", f"/system/llm/history/{quoted}", {}
    for name in ("actor", "action"):
        yield "GET", "/audit", {"params": {name: key}}
    for name in ("since", "until", "before", "limit", key):
        yield "GET", "/audit", {"params": {name: key}}
        yield "GET", "/system/llm/history", {"params": {name: key}}
    yield "PUT", CONFIG, {"json": {"provider": "ollama"}, "params": {"verify": key, key: key}}
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    for name, value in (
        ("If-Match", key),
        ("If-Match", f'"{key}"'),
        ("Authorization", f"Bearer {key}"),
        ("Authorization", f"Basic {basic}"),
        ("Authorization", key),
        ("Content-Type", f"application/json; charset={key}"),
        ("Content-Type", f"multipart/form-data; boundary={key}"),
        ("Accept", key),
        ("Cookie", f"key={key}"),
        ("X-Api-Key", key),
        ("X-Request-ID", key),
        ("Host", f"{quoted}.example"[:250]),
        ("Forwarded", f"for={key}"),
    ):
        yield "PUT", CONFIG, {"json": {"provider": 7}, "headers": {name: value}}
        yield "GET", PROVIDERS, {"headers": {name: value}}


def _wrong_bodies(key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    good = {"provider": "deepseek"}
    for body in (
        {"provider": key},
        {"provider": [key]},
        {"provider": {key: key}},
        good | {"model": [key]},
        good | {"model": {key: 1}},
        good | {"model": f"{key}\u0007"},
        good | {"model": f"{key}\n{key}"},
        good | {"model": key * 80},
        good | {"orchestrator_model": [[key]]},
        good | {"base_url": [key]},
        good | {"base_url": key + " "},
        good | {"base_url": f"https://{key}@api.deepseek.com"},
        good | {"base_url": f"https://user:{key}@api.deepseek.com"},
        good | {"base_url": f"https://api.deepseek.com/?key={key}"},
        good | {"base_url": f"https://api.deepseek.com/#{key}"},
        good | {"base_url": f"{key}://api.deepseek.com"},
        good | {"base_url": f"https://{LOOPBACK}/", "api_key": key},
        good | {"base_url": "http://169.254.169.254/", "api_key": key},
        good | {"api_key": [key]},
        good | {"api_key": {"key": key}},
        good | {"api_key": f"{key} {key}"},
        good | {"api_key": f"{key}\u0000"},
        good | {"api_key": f"{key}é"},
        good | {"api_key": key * 500},
        good | {"api_key": key, "model": ""},
        good | {"api_key": key, "model": 7},
        good | {"api_key": key, key: key},
        good | {"key": key},
        {"provider": "gemini", "base_url": "https://gateway.example", "api_key": key},
        {"provider": "ollama", "api_key": key},
        {"provider": "auto", "api_key": key},
        {"api_key": key},
        [key],
        key,
    ):
        yield "PUT", CONFIG, {"json": body}
    for body in ([key], {"api_key": [key]}, {"api_key": {key: key}}, {"apikey": key}, key):
        yield "PUT", f"{PROVIDERS}/openai/key", {"json": body}
    for path in (f"{PROVIDERS}/ollama/key", f"{PROVIDERS}/nobody/key"):
        yield "PUT", path, {"json": {"api_key": key}}
    yield "POST", f"{PROVIDERS}/deepseek/test", {"json": {"role": key, key: key}}
    yield "PUT", "/system/llm/policy", {"json": {"hosted_max_tlp": key, key: [key]}}
    for values in (
        {"provider": key},
        {"provider": "openai", "api_key": [key]},
        {"provider": "openai", key: key},
        {"provider": "openai", "options": {"headers": {"x-team": key}}},
        {"provider": "openai", "options": {"headers": {key: "soc"}}},
        {"provider": "openai", "options": {key: key}},
    ):
        yield "PUT", "/system/llm/connections/lab", {"json": values}
    for listed in ({"provider": key}, {"api_key": [key]}, {"base_url": key, "api_key": key}):
        yield "POST", f"{PROVIDERS}/openai/models", {"json": listed}
    yield "POST", f"{PROVIDERS}/{key}/models", {"json": {"base_url": "https://gw.example"}}
    yield "POST", "/system/llm/address", {"json": {"provider": key, "base_url": key}}
    yield "POST", "/system/llm/address", {"json": {"provider": "openai", "base_url": key}}
    yield "PUT", "/system/llm/assignments", {"json": {"agents": {key: {"connection": key}}}}
    yield "PUT", "/system/llm/hosted-traffic", {"json": {"state": key, "reason": key}}
    yield "PUT", "/system/llm/hosted-traffic", {"json": {"state": "stopped", "reason": [key]}}
    yield "PUT", "/system/llm/budgets", {"json": {"limits": key}}
    for scope, money in ((key, 1), (f"client:{key}", 1), ("agent:triage", key)):
        limit = {"scope": scope, "per": "day", "money": money, "hard": True}
        yield "PUT", "/system/llm/budgets", {"json": {"limits": [limit]}}
    yield "POST", "/system/llm/policy/explain", {"json": {"tlp": key, "agent": key}}
    yield "POST", "/system/llm/rollback", {"json": {"revision": key}}
    for typed in (
        key,
        {"connection": key, "api_key": key},
        {"connection": "openai", "api_key": [key]},
        {"connection": "ollama", "api_key": key},
        {key: key},
    ):
        yield "POST", "/system/llm/rollback", {"json": {"revision": 1, "key": typed}}
    for client in (
        {"name": f"{key} siem"},
        {"name": "siem", "max_tlp": key},
        {"name": "siem", "expires_at": key},
        {"name": "siem", "budget": {"per": key, "hard": True}},
        {"name": "siem", key: key},
    ):
        yield "POST", "/clients", {"json": client}
    yield "POST", "/clients/siem/secret", {"json": {"grace_seconds": key}}
    yield "DELETE", f"/clients/{quote(key, safe='')}", {}
    for chat in (
        {"messages": [{"role": key, "content": "x"}]},
        {"messages": [{"role": "user", "content": {"text": key}}]},
        {"messages": [{"role": "user", "content": "x", key: key}]},
        {"messages": key},
        asked(tlp=key),
        asked(role=key),
        asked(stream=key),
        asked(**{key: key}),
    ):
        yield "POST", "/chat", {"json": chat}
    yield from _at_the_door(key)
    yield from _raw_bodies(key)


def _at_the_door(key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for fields in (
        {"model": key},
        {"user": [key]},
        {"metadata": {key: [key]}},
        {"tools": [{"type": key, "function": key}]},
        {"tool_choice": key},
        {"response_format": {"type": key}},
        {"messages": [{"role": key, "content": key}]},
        {"messages": [{"role": "tool", "tool_call_id": key, "content": key}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": key}]}]},
        {key: key},
    ):
        yield "POST", COMPLETIONS, {"json": completion() | fields}
    yield "POST", COMPLETIONS, {"json": completion(), "headers": {"X-TLP": key}}
    yield "GET", f"/v1/models/{key}", {}


def _raw_bodies(key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    raw = key.encode()
    for content, media_type in (
        (b'{"api_key": "' + raw, "application/json"),
        (raw, "application/json"),
        (b'{"api_key": "\\ud800' + raw + b'"}', "application/json"),
        (b'\xff\xfe{"api_key": "' + raw + b'"}', "application/json"),
        (b"[" * 5000 + raw, "application/json"),
        (b"api_key=" + raw, "application/x-www-form-urlencoded"),
        (b'{"api_key": "' + raw + b'"}', "text/plain"),
        (b"--x\r\n\r\n" + raw + b"\r\n--x--", "multipart/form-data; boundary=x"),
    ):
        headers = {"Content-Type": media_type}
        yield "PUT", f"{PROVIDERS}/openai/key", {"content": content, "headers": headers}
        yield "PUT", CONFIG, {"content": content, "headers": headers}


def echoes(key: str, capture: CaptureServer) -> Iterator[Fault]:
    """Yield every way in which an upstream fails, with the key in its body and its headers."""
    header = {"X-Key": key, "Set-Cookie": f"key={quote(key)}", "Retry-After": key}
    error = {"error": {"message": f"The key {key} failed", "type": key, "code": key, "param": key}}
    document = json.dumps(error).encode()
    yield from (Fault(refusal=refusal, echo_key=True, headers=header) for refusal in Refusal)
    for status in STATUSES:
        yield Fault(status=status, body=document, headers=header)
    page = f"<html><body>{key}</body></html>".encode()
    for status in (200, 502):
        yield Fault(status=status, body=page, media_type="text/html", headers=header)
    yield Fault(status=200, body=key.encode(), media_type=f"application/json; charset={key}")
    yield Fault(status=500, body=document, media_type=f"application/json; charset={key}")
    yield Fault(status=400, body=document, headers={"Content-Encoding": "gzip"})
    for events in (f"data: {key}\n\n", f"data: {json.dumps(error)}\n\n", f"event: {key}\n\n"):
        yield Fault(status=200, body=events.encode(), media_type="text/event-stream")
    for status in REDIRECTS:
        yield Fault(status=status, headers={"Location": f"{capture.url}/?key={quote(key)}"})
    yield Fault(status=302, headers={"Location": f"key://{key}"})
    yield Fault(cut_after=1, echo_key=True, headers=header)
    yield Fault(cut_after=2, cut_politely=True, echo_key=True, headers=header)
    yield Fault(empty_stream=True, echo_key=True, headers=header)
    yield Fault(empty_content=True, echo_key=True, headers=header)
    yield Fault(reset=True)
    yield Fault(echo_key=True, headers=header)


def echoes_of_responses(key: str) -> Iterator[Fault]:
    """Yield what OpenAI's Responses say when they fail: a whole answer, and events."""
    header, error = {"X-Key": key}, {"message": f"The key {key} failed", "code": key, "param": key}
    failed = {"id": key, "object": "response", "status": "failed", "error": error, "output": []}
    yield Fault(status=200, body=json.dumps(failed).encode(), headers=header)
    for event in (
        {"type": "error", "sequence_number": 0, **error},
        {"type": "error", "error": {"type": key, **error}},
        {"type": "response.failed", "response": failed},
        {"type": "response.failed", "response": {"error": key}},
        {"type": key, "response": failed},
    ):
        body = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        yield Fault(status=200, body=body, media_type="text/event-stream", headers=header)


def share(key: str, capture: CaptureServer, turn: int) -> Faults:
    """Return a sixth of the failures in a plain run, another at each turn; all in a soak run.

    No other failure has the code of a model that isn't there, so each turn has that one.
    """
    return [
        fault
        for number, fault in enumerate(echoes(key, capture))
        if SOAK or number % 6 == turn % 6 or fault.refusal is Refusal.UNKNOWN_MODEL
    ]


def misplace(send: Send, url: str, key: str, turn: int) -> None:
    """Send a key in wrong places: a third of them at each turn of a plain run, all in a soak."""
    places = list(wrong_places(key))[slice(None) if SOAK else slice(turn % 3, None, 3)]
    for method, path, options in places:
        send(method, path, **options)
    with socket.create_connection((LOOPBACK, httpx.URL(url).port or 0), timeout=60) as raw:
        raw.sendall(f"GET /{key} HTTP/9.9\r\nX: {key}\r\nbroken {key}\r\n\r\n".encode())
        raw.recv(4096)


def use(send: Send, configured: Mapping[str, Any], vendor: VendorServer, faults: Faults) -> None:
    """Store a key, and call its provider while that echoes it in every way there is."""
    provider, key = configured["provider"], configured["api_key"]
    vendor.keys[provider] = key
    with vendor.faults.held(Fault(refusal=Refusal.BAD_KEY, echo_key=True)):
        refused = send("PUT", CONFIG, json=configured, params={"verify": "true"})
        assert refused.status_code == 502, refused.text
    assert send("PUT", CONFIG, json=configured).status_code == 200
    assert send("PUT", f"{PROVIDERS}/{provider}/key", json={"api_key": key}).status_code == 200
    assert send("POST", "/chat", json=asked()).status_code == 200
    assert send("POST", "/chat", json=asked(stream=True)).status_code == 200
    on_responses = configured.get("model") == ON_RESPONSES
    assert vendor.requests[-1].path.endswith("/responses") == on_responses
    if on_responses:
        faults = [*echoes_of_responses(key), *faults]
    for number, fault in enumerate(faults):
        with vendor.faults.held(fault):
            send("POST", "/chat", json=asked())
            send("POST", "/chat", json=asked(stream=True))
            send("POST", COMPLETIONS, json=completion(stream=number % 2 == 0))
            if number % 4 == 0:  # twenty tests a minute are allowed
                send("POST", f"{PROVIDERS}/{provider}/test", json={"role": "orchestrator"})
                send("GET", f"{PROVIDERS}/{provider}/models")
                send("GET", PROVIDERS)
    send("PUT", CONFIG, json={"provider": provider, "base_url": "https://other.example"})
    send("DELETE", f"{PROVIDERS}/{provider}/key")
    send("POST", "/chat", json=asked())


def stored(state_dir: Path) -> dict[str, bytes]:
    """Read every file of the state folder as bytes, and the database, wherever it is."""
    files = {file.name: file.read_bytes() for file in state_dir.rglob("*") if file.is_file()}
    return files | {"the database": Stored(DATABASES.url(state_dir)).stored_bytes()}


@pytest.fixture(scope="module")
def keys() -> list[str]:
    """Make the canaries."""
    return canaries(COUNT)


@pytest.fixture(scope="module")
def searched(
    keys: list[str],
    world_variables: dict[str, str],
    hosted: VendorServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, bytes]:
    """Take all canaries through a service behind a proxy; give all that can be read of it."""
    folder = tmp_path_factory.mktemp("canaries")
    variables = world_variables | {"LLM_TIMEOUT": "20", "PYTHONFAULTHANDLER": "1"}
    with Service(folder, variables) as service, CaptureServer() as capture:
        traffic = Traffic(service.url)
        for number, key in enumerate(keys):
            send = traffic.by(f"admin-{number}")
            misplace(send, service.url, key, number)
            called = list(CALLED.values())[number % len(CALLED)]
            configured = {**called, "api_key": key}
            use(send, configured, hosted, share(key, capture, number))
            hosted.clear()
            assert send("PUT", f"{PROVIDERS}/openai/key", json={"api_key": key}).is_success
        places = read_all(service, traffic)
        assert capture.connections == 0
    hosted.keys.update(VENDOR_KEYS)
    return places | {"the log after a crash": service.output.encode()}


def read_all(service: Service, traffic: Traffic) -> dict[str, bytes]:
    """Read all that a service answers, prints and keeps; the last key is still stored."""
    client, places = traffic.client, stored(service.state_dir)
    send = traffic.by("reader")
    for path in (
        "/audit",
        "/system/llm/history",
        "/system/llm/config/reset",
        "/healthz",
        "/openapi.json",
        "/metrics",
    ):
        send("GET", path, params={"limit": 1000} if path == "/audit" else None)
        client.get(f"{service.url}{path}")
    for revision in range(1, send("GET", PROVIDERS).json()["revision"] + 1):
        send("GET", f"/system/llm/history/{revision}")
    for command in (
        ("audit", "export"),
        ("providers", "list", "--json"),
        ("keys", "doctor", "--json"),
    ):
        done = service.command(*command)
        places[" ".join(command)] = (done.stdout + done.stderr).encode()
    service.process.send_signal(6)  # SIGABRT: faulthandler prints every thread's stack
    service.wait()
    client.close()
    places["answers"] = b"\n\n".join(traffic.answers)
    return places | {f"{name} at the end": read for name, read in stored(service.state_dir).items()}


@pytest.mark.soak
def test_no_key_is_found_anywhere_around_the_service(
    keys: list[str], searched: dict[str, bytes]
) -> None:
    """No answer, log line, stored byte, audit entry or command's output holds any key."""
    assert found(keys, searched) == []


def test_search_would_find_a_key(keys: list[str]) -> None:
    """The search itself finds each canary in each encoding, inside a longer text."""
    for key in keys:
        for lead in ("", "x", "xy", "xyz", "wxyz"):
            text = f"{lead}{key} tail".encode()
            for place in (text, base64.b64encode(text), base64.b32encode(text)):
                assert found([key], {"here": place})
        assert found([key], {"here": json.dumps({"a": key}).encode()})
        assert found([key], {"here": repr([key]).encode()})
        assert found([key], {"here": str(httpx.URL("http://h/", params={"k": key})).encode()})


def test_places_that_were_searched_hold_what_they_should(
    keys: list[str], searched: dict[str, bytes]
) -> None:
    """The search covered real traffic: every failure code, the log, the database, the audit."""
    answers = searched["answers"]
    for code in (
        b"auth_failed",
        b"bad_response",
        b"invalid_input",
        b"key_bound_to_origin",
        b"model_not_found",
        b"quota_exceeded",
        b"rate_limited",
        b"unauthenticated",
        b"unknown_provider",
        b"unreachable",
        b"event: error",
        b"event: done",
    ):
        assert code in answers, code
    assert answers.count(b"\n\n") > 100 * len(keys)
    assert b"llm.key.set" in searched["audit export"]
    assert b"adopted" in searched["the log after a crash"]
    assert b"Fatal Python error: Aborted" in searched["the log after a crash"]
    assert b"llm_provider_credentials" in searched["the database"]
    assert b"gAAAA" in searched["the database"]


class Host(ChildProcess):
    """`tests.world.host_platform` under uvicorn, without an access log of its own."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """Describe the host, whose state and logs go to `folder`."""
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.state_dir = folder / "state"
        self.own_log = folder / "host.log"
        self.env = service_env(self.state_dir, {**variables, "HOST_LOG": str(self.own_log)})
        command = "-m uvicorn --factory tests.world.host_platform:create_host --no-access-log"
        super().__init__(
            [sys.executable, *command.split(), "--port", str(port), "--log-level", "debug"],
            env=self.env,
            ready=f"{self.url}/readyz",
            log=folder / "output.log",
            cwd=ROOT,
        )

    def read(self) -> dict[str, bytes]:
        """Read what the host wrote and keeps."""
        log, output = self.own_log.read_bytes(), self.output.encode()
        return {"the host's log": log, "its output": output, **stored(self.state_dir)}


LOCAL_VARIABLES: Final = {
    "AURORA_ALLOWED_HOSTS": LOOPBACK,
    "LLM_MAX_RETRIES": "0",
    "LLM_TIMEOUT": "20",
}


def around_a_host(
    keys: list[str], hosted: VendorServer, folder: Path, variables: dict[str, str]
) -> dict[str, bytes]:
    """Take canaries through a bare host, on judged connections; give all that can be read of it."""
    bring_to_head(Stored(DATABASES.url(folder / "state")))
    called = [CALLED[name] for name in ("openai", "openai on responses", "deepseek", "anthropic")]
    with Host(folder, LOCAL_VARIABLES | variables) as host, CaptureServer() as capture:
        traffic = Traffic(host.url)
        for number, key in enumerate(keys):
            send = traffic.by(f"admin-{number}")
            misplace(send, host.url, key, number)
            configured = {**called[number % len(called)], "base_url": hosted.url, "api_key": key}
            use(send, configured, hosted, share(key, capture, number))
            hosted.clear()
        traffic.by("reader")("GET", "/audit", params={"limit": 1000})
        traffic.client.close()
        running = {f"{name} while it runs": read for name, read in stored(host.state_dir).items()}
        assert capture.connections == 0
    hosted.keys.update(VENDOR_KEYS)
    return running | host.read() | {"answers": b"\n\n".join(traffic.answers)}


@pytest.mark.soak
def test_no_key_is_found_anywhere_around_a_bare_host(
    keys: list[str], hosted: VendorServer, tmp_path: Path
) -> None:
    """A host with debug=True, no handler of ours and all loggers at DEBUG sees no key either."""
    some = keys if SOAK else keys[:6]  # for each share of the failures one
    places = around_a_host(some, hosted, tmp_path, {})
    assert b"DEBUG:" in places["the host's log"]
    assert b"auth_failed" in places["answers"]
    assert found(some, places) == []


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="takes a host of its own")
def test_no_key_is_found_in_a_log_that_was_turned_up_again(
    keys: list[str], hosted: VendorServer, tmp_path: Path
) -> None:
    """A host that sets httpcore and openai to DEBUG after our import still logs no key."""
    places = around_a_host(keys[:1], hosted, tmp_path, {"HOST_SHOUTS": "1"})
    assert found(keys[:1], places) == []


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("provider", [*HOSTED, "vllm", "ollama"])
def test_redirect_to_another_origin_is_never_followed(
    *,
    service: Service,
    hosted: VendorServer,
    local_servers: VendorServer,
    capture: CaptureServer,
    provider: str,
    status: int,
) -> None:
    """A provider that points elsewhere gets its answer refused, and nobody there gets a byte."""
    vendor = hosted if provider in HOSTED else local_servers
    admin = service.client(subject=f"redirected-{status}")
    body = {"provider": provider}
    if provider in HOSTED:
        body["api_key"] = VENDOR_KEYS[provider]
    assert admin.put(CONFIG, json=body).status_code == 200
    elsewhere = Fault(status=status, headers={"Location": f"{capture.url}/v1/chat/completions"})
    with vendor.faults.held(elsewhere):
        tested = admin.post(f"{PROVIDERS}/{provider}/test").json()
        spoken = [admin.post("/chat", json=asked(stream=stream)) for stream in (False, True)]
    assert (tested["ok"], tested["code"]) == (False, "bad_response")
    assert spoken[0].json()["code"] == "bad_response"
    assert "bad_response" in spoken[1].text
    assert vendor.requests
    assert capture.connections == 0


@pytest.mark.parametrize(
    ("arguments", "variable", "stdin"),
    [
        ("key set deepseek", "", "{key} {key}"),
        ("key set deepseek", "", "{key}\x07"),
        ("key set nobody", "", "{key}"),
        ("key set ollama", "", "{key}"),
        ("key set {key}", "", "{key}"),
        ("key set deepseek", "AURORA_DATABASE_URL=postgresql://u:{key}@127.0.0.1:9/x", "{key}"),
        ("providers use {key}", "", ""),
        ("providers use openai --base-url https://{key}@host.example", "", ""),
        ("providers test {key}", "", ""),
        ("providers list", "LLM_BACKEND={key}", ""),
        ("providers list", "LLM_DEEPSEEK_API_KEY={key} {key}", ""),
        ("providers list", "LLM_DEEPSEEK_BASE_URL=https://user:{key}@host.example", ""),
        ("providers list", "LLM_TIMEOUT={key}", ""),
        ("providers list", "AURORA_DATABASE_URL={key}", ""),
        ("serve", "AURORA_PORT={key}", ""),
        ("serve", "JWT_SECRET_KEY={key:.20}", ""),
        ("keys doctor", "AURORA_SECRET_KEY_PREVIOUS={key:.20}", ""),
        ("keys doctor", "AURORA_SECRET_KEY={key:.20}", ""),
        ("migrate", "AURORA_DATABASE_URL=postgresql://u:{key}@127.0.0.1:9/x", ""),
        ("audit verify --anchor {key}", "", ""),
        ("audit verify --file {key}", "", ""),
    ],
)
def test_command_that_fails_repeats_no_key(
    *,
    database_env: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: str,
    variable: str,
    stdin: str,
) -> None:
    """A command that fails says so in a line or two, and holds nothing of what it was given."""
    key = f"sk-{secrets.token_hex(20)}"
    name, _, value = variable.format(key=key).partition("=")
    for variable_name, text in {**database_env, **({name: value} if name else {})}.items():
        monkeypatch.setenv(variable_name, text)
    monkeypatch.setattr(sys, "argv", ["aurorasoc", *arguments.format(key=key).split()])
    piped = io.BytesIO(stdin.format(key=key).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(piped, encoding="utf-8"))
    with pytest.raises(SystemExit) as ended:
        main()
    said = "".join(capfd.readouterr())
    assert ended.value.code in {1, 2}
    assert said
    assert "Traceback" not in said
    assert found([key, key[:20]], {"what it said": said.encode()}) == []


@pytest.fixture(scope="module")
def database_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Migrate a database; give the variables that lead to it."""
    folder = tmp_path_factory.mktemp("database")
    DATABASES.migrated(folder)
    return {
        **DATABASES.variables(folder),
        "AURORA_STATE_DIR": str(folder),
        "JWT_SECRET_KEY": SESSION_SECRET,
        "AURORA_SECRET_KEY": SEED,
    }


def every_exception(error: BaseException) -> Iterator[BaseException]:
    """Walk to all that an exception leads to, each once."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        todo += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]


def shown(error: BaseException) -> dict[str, bytes]:
    """Return all that a log, a debugger or a crash reporter would show of an exception."""
    places = {}
    for one in every_exception(error):
        name = f"{type(one).__name__} {id(one):x}"
        said = [str(one), repr(one), repr(one.args), repr(vars(one))]
        places[name] = "\n".join([*said, *getattr(one, "__notes__", ())]).encode()
        full = traceback.TracebackException.from_exception(one, capture_locals=True)
        places[f"{name}, traceback with locals"] = "".join(full.format()).encode()
    return places


async def error_under(vendor: VendorServer, fault: Fault, *, stream: bool) -> AuroraError | None:
    """Call the model in force under a fault; nothing in this frame is a key."""
    vendor.faults.set(fault)
    del fault
    try:
        await get_chat_model().run([UserMessage("ping")], stream=stream)
    except AuroraError as error:
        return error
    finally:
        vendor.faults.clear()
    return None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        *((provider, None) for provider in ("openai", "deepseek", "anthropic", "vllm")),
        ("openai", ON_RESPONSES),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_exceptions_of_a_handle_hold_no_key(
    *,
    database_env: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    hosted: VendorServer,
    capture: CaptureServer,
    provider: str,
    model: str | None,
    stream: bool,
) -> None:
    """Neither text, arguments, notes, causes nor any frame's locals show the key."""
    (key,) = canaries(1)
    hosted.clear()
    room = "LLM_OPENAI_COMPATIBLE" if provider == "openai" else f"LLM_{provider.upper()}"
    overrides = {"BACKEND": provider, "MAX_RETRIES": "1", "TIMEOUT": "20"}
    variables = {f"LLM_{name}": value for name, value in overrides.items()}
    variables |= {f"{room}_API_KEY": key, f"{room}_BASE_URL": hosted.url}
    variables |= {f"{room}_MODEL": model} if model else {}
    for name, value in {**database_env, **variables}.items():
        monkeypatch.setenv(name, value)
    async with open_runtime():
        faults = list(echoes(key, capture))[:: 1 if SOAK else 5]
        faults += echoes_of_responses(key)
        found_errors = [await error_under(hosted, fault, stream=stream) for fault in faults]
    caught = [error for error in found_errors if error is not None]
    paths = {exchange.path for exchange in hosted.requests}
    assert (paths == {"/v1/responses"}) == (model == ON_RESPONSES)
    hosted.keys.update(VENDOR_KEYS)
    assert len(caught) >= 5
    assert {type(one) for error in caught for one in every_exception(error)} <= OURS
    for error in caught:
        assert found([key], shown(error)) == []

"""Errors are RFC 9457 problem documents that repeat nothing of what was sent."""

import json
from typing import Any

import httpx
import pytest

from tests.world import patient
from tests.world.service import CONFIG, PROVIDERS, Service, asked, bearer, token

CANARY = "canary-7b1f0c9d"
KEY_PATH = f"{PROVIDERS}/deepseek/key"
TEST_PATH = f"{PROVIDERS}/deepseek/test"
MEMBERS = {"type", "title", "status", "code", "detail"}

WRONG_BODIES: list[tuple[str, str, Any]] = [
    ("PUT", CONFIG, {"provider": CANARY}),
    ("PUT", CONFIG, {"provider": [CANARY]}),
    ("PUT", CONFIG, {"provider": {CANARY: CANARY}}),
    ("PUT", CONFIG, {"provider": "ollama", "model": [CANARY]}),
    ("PUT", CONFIG, {"provider": "ollama", "model": CANARY * 40}),
    ("PUT", CONFIG, {"provider": "ollama", "model": f"{CANARY}\u0007"}),
    ("PUT", CONFIG, {"provider": "ollama", "orchestrator_model": {CANARY: 1}}),
    ("PUT", CONFIG, {"provider": "ollama", "base_url": f"ftp://{CANARY}"}),
    ("PUT", CONFIG, {"provider": "ollama", "base_url": f"http://user:{CANARY}@127.0.0.1"}),
    ("PUT", CONFIG, {"provider": "ollama", "base_url": f"http://127.0.0.1/?{CANARY}"}),
    ("PUT", CONFIG, {"provider": "ollama", "base_url": [CANARY]}),
    ("PUT", CONFIG, {"provider": "openai", "api_key": [CANARY]}),
    ("PUT", CONFIG, {"provider": "openai", "api_key": {"key": CANARY}}),
    ("PUT", CONFIG, {"provider": "openai", "api_key": f"{CANARY} {CANARY}"}),
    ("PUT", CONFIG, {"provider": "ollama", "api_key": CANARY}),
    ("PUT", CONFIG, {"provider": "auto", "api_key": CANARY}),
    ("PUT", CONFIG, {"provider": "ollama", CANARY: "x"}),
    ("PUT", CONFIG, {"provider": "ollama", "unknown": CANARY}),
    ("PUT", CONFIG, [CANARY]),
    ("PUT", CONFIG, CANARY),
    ("PUT", KEY_PATH, {"api_key": [CANARY]}),
    ("PUT", KEY_PATH, {"api_key": {CANARY: CANARY}}),
    ("PUT", KEY_PATH, {"api_key": True, CANARY: CANARY}),
    ("PUT", KEY_PATH, {"api_key": f"{CANARY}é"}),
    ("PUT", KEY_PATH, {"apikey": CANARY}),
    ("PUT", KEY_PATH, {"api_key": CANARY, "note": CANARY}),
    ("PUT", KEY_PATH, CANARY),
    ("PUT", KEY_PATH, None),
    ("POST", TEST_PATH, {"role": CANARY}),
    ("POST", TEST_PATH, {"role": "specialist", CANARY: 1}),
    ("POST", "/chat", {"messages": [{"role": CANARY, "content": "x"}]}),
    ("POST", "/chat", {"messages": [{"role": "user", "content": {"text": CANARY}}]}),
    ("POST", "/chat", {"messages": [{"role": "user", "content": "x", CANARY: CANARY}]}),
    ("POST", "/chat", {"messages": CANARY}),
    ("POST", "/chat", asked(tlp=CANARY)),
    ("POST", "/chat", asked(role=CANARY)),
    ("POST", "/chat", asked(stream=CANARY)),
]
WRONG_QUERIES = [
    {"limit": CANARY},
    {"since": CANARY},
    {"before": CANARY},
    {"actor": CANARY * 40},
    {CANARY: "x"},
]
BAD_JSON = [
    f'{{"api_key": "{CANARY}"',
    f'{{"api_key": "{CANARY}",}}',
    f'{{"{CANARY}": nan}}',
    f"{CANARY}",
    f'"{CANARY}\n"',
    f'{{"api_key": "\\ud800{CANARY}"}}',
]


def is_problem(answer: httpx.Response) -> bool:
    """Tell whether an answer is a problem document whose status is the answer's."""
    document = answer.json()
    return (
        answer.headers["content-type"] == "application/problem+json"
        and document.keys() >= MEMBERS
        and document["status"] == answer.status_code
        and document["code"] != ""
    )


def silent(answer: httpx.Response) -> bool:
    """Tell whether neither body nor headers repeat the canary, nor show a traceback."""
    shown = f"{answer.text}{answer.headers}"
    return CANARY not in shown and "Traceback" not in shown


@pytest.mark.parametrize(("method", "path", "body"), WRONG_BODIES)
def test_wrong_body_is_refused_without_an_echo(
    admin: httpx.Client, method: str, path: str, body: object
) -> None:
    """A 422 names where the body is wrong, and repeats no value and no unknown field's name."""
    answer = admin.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert is_problem(answer)
    assert silent(answer)


@pytest.mark.parametrize("query", WRONG_QUERIES)
def test_wrong_query_is_refused_without_an_echo(admin: httpx.Client, query: dict[str, str]) -> None:
    """A wrong query parameter is a 422 that repeats nothing."""
    answer = admin.get("/audit", params=query)
    assert answer.status_code == 422
    assert is_problem(answer)
    assert silent(answer)


@pytest.mark.parametrize("text", BAD_JSON)
@pytest.mark.parametrize("path", [KEY_PATH, CONFIG])
def test_bad_json_is_refused_without_an_echo(admin: httpx.Client, path: str, text: str) -> None:
    """A body that isn't JSON is a 422 that repeats nothing."""
    headers = {"Content-Type": "application/json"}
    answer = admin.put(path, content=text.encode(), headers=headers)
    assert answer.status_code == 422
    assert is_problem(answer)
    assert silent(answer)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_body_that_is_not_announced_as_json_is_not_echoed(
    admin: httpx.Client, media_type: str
) -> None:
    """A key sent as a form or as text is refused and not repeated."""
    body = f'{{"api_key": "{CANARY}"}}'.encode()
    answer = admin.put(KEY_PATH, content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 422
    assert is_problem(answer)
    assert silent(answer)


def test_bytes_that_are_no_text_are_refused(admin: httpx.Client) -> None:
    """A body that isn't UTF-8 is a 4xx problem, not a failure."""
    content = b'{"api_key": "\xff\xfe' + CANARY.encode() + b'"}'
    answer = admin.put(KEY_PATH, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert is_problem(answer)
    assert silent(answer)


def test_deeply_nested_json_is_refused(admin: httpx.Client) -> None:
    """Ten thousand brackets are refused like any other wrong body."""
    content = b"[" * 10_000 + CANARY.encode()
    answer = admin.put(KEY_PATH, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert is_problem(answer)
    assert silent(answer)


@pytest.mark.parametrize(
    ("name", "status"), [("If-Match", 422), ("Authorization", 401), ("X-Anything", 200)]
)
def test_headers_are_not_echoed(service: Service, name: str, status: int) -> None:
    """What a header says is never repeated."""
    headers = bearer(token()) | {name: CANARY}
    with service.anonymous(headers) as client:
        answer = client.put(CONFIG, json={"provider": "ollama"})
    assert answer.status_code == status
    assert silent(answer)


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "bearer", ""])
def test_wrong_token_is_not_echoed(service: Service, scheme: str) -> None:
    """A 401 doesn't repeat the token, whatever its scheme."""
    with service.anonymous({"Authorization": f"{scheme} {CANARY}".strip()}) as client:
        answer = client.get(PROVIDERS)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert is_problem(answer)
    assert silent(answer)


@pytest.mark.parametrize("path", [f"/{CANARY}", f"{PROVIDERS}/{CANARY}", "/"])
def test_unknown_path_is_a_problem(admin: httpx.Client, path: str) -> None:
    """A path without a route is a 404 problem that doesn't repeat it."""
    answer = admin.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "http_404")
    assert is_problem(answer)
    assert silent(answer)


def test_unknown_provider_is_not_echoed(admin: httpx.Client) -> None:
    """A provider's name in a path was sent, too."""
    answer = admin.put(f"{PROVIDERS}/{CANARY}/key", json={"api_key": "key-0123456789"})
    assert answer.status_code == 404
    assert is_problem(answer)
    assert silent(answer)


def test_wrong_method_is_a_problem_that_names_the_right_ones(admin: httpx.Client) -> None:
    """A method that a path doesn't take is a 405 problem with Allow (RFC 9110, §15.5.6)."""
    answer = admin.post(CONFIG, json={"provider": CANARY})
    assert (answer.status_code, answer.json()["code"]) == (405, "http_405")
    assert is_problem(answer)
    assert silent(answer)
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "key",
    [
        "key-with\nnewline",
        "key-with\rreturn",
        "key-with\ttab-inside",
        "key-with\0nul",
        "key-with\x1bescape",
        "key-with\x7fdelete",
        "key with space",
        "schlüssel-0123456789",
        "key-\N{ZERO WIDTH SPACE}-0123456789",
        "k" * 4097,
        "   ",
        "",
    ],
)
@pytest.mark.parametrize("path", [KEY_PATH, CONFIG])
def test_key_that_fits_no_header_is_refused(
    service: Service, admin: httpx.Client, path: str, key: str
) -> None:
    """Control and non-ASCII characters, spaces and empty keys are refused; nothing is stored."""
    body = {"api_key": key} | ({"provider": "deepseek"} if path == CONFIG else {})
    answer = admin.put(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert [error["field"] for error in answer.json()["errors"]] == ["body.api_key"]
    assert service.row("deepseek")["key_present"] is False


def test_errors_name_the_field_and_say_why(admin: httpx.Client) -> None:
    """A 422 lists each wrong field with a sentence."""
    answer = admin.put(CONFIG, json={"provider": "ollama", "model": 1, "base_url": 2})
    errors = answer.json()["errors"]
    assert {error["field"] for error in errors} == {"body.model", "body.base_url"}
    assert all(error.keys() == {"field", "message"} for error in errors)
    assert all(error["message"] for error in errors)


def test_problem_codes_are_in_the_openapi_document(service: Service) -> None:
    """Every refusal that a route documents is a problem document; the door's are OpenAI's."""
    with patient.client(base_url=service.url) as client:
        document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    kinds = set(answer.get("content", {}))
                    is_door = path.startswith("/v1/")
                    kind = "application/json" if is_door else "application/problem+json"
                    assert kinds == {kind}, f"{method} {path} {status}"


def test_nothing_that_was_refused_stands_in_the_log(service: Service, admin: httpx.Client) -> None:
    """After all kinds of refusals, the log holds neither the canary nor a traceback."""
    for method, path, body in WRONG_BODIES:
        admin.request(method, path, json=body)
    for text in BAD_JSON:
        admin.put(KEY_PATH, content=text.encode(), headers={"Content-Type": "application/json"})
    assert CANARY not in service.output
    assert "Traceback" not in service.output
    assert "unexpected error" not in service.output


def test_nothing_that_was_refused_stands_in_the_audit_log(
    service: Service, admin: httpx.Client
) -> None:
    """A refused request leaves nothing of what was sent in the audit log."""
    for method, path, body in WRONG_BODIES:
        admin.request(method, path, json=body)
    assert CANARY not in json.dumps(service.entries())

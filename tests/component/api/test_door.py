"""The door speaks OpenAI's protocol: whole answers, streams, errors, and the names of models."""

import socket
from typing import Final

import httpx
import pytest

from aurorasoc.api.door.errors import error_response
from aurorasoc.errors import BudgetExceeded
from tests.component.in_line import InLine
from tests.component.open_door import door, error_of, line, opened, servers
from tests.examples import JWT_SECRET
from tests.world import patient
from tests.world.door import Door, chunks, said
from tests.world.loopback import LOOPBACK
from tests.world.service import token
from tests.world.vendor import Fault, Refusal

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here

DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)


def test_an_answer_has_openais_shape(door: Door) -> None:
    """With the model that answered, and our headers."""
    response = door.ask()
    answer = response.json()
    assert response.status_code == 200, answer
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "m-first"
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "m-first says: pong"
    assert choice["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == 10
    assert response.headers["x-aurora-connection"] == "first"
    assert response.headers["x-aurora-revision"].isdigit()
    assert "x-aurora-attempts" not in response.headers


def test_who_stood_in_is_named_with_who_failed(door: Door, line: InLine) -> None:
    """Whole and streamed alike: before the first piece it is known."""
    line.first.faults.set(DOWN)
    for streams in (False, True):
        response = door.ask(stream=streams)
        assert response.status_code == 200, response.text
        assert response.headers["x-aurora-connection"] == "second"
        assert response.headers["x-aurora-attempts"] == "first;code=overloaded, second"


def test_pipelined_requests_are_answered_in_turn(door: Door) -> None:
    """One that comes while an answer is awaited is no hang-up (RFC 9112 §9.3.2)."""
    body = b'{"model": "specialist", "messages": [{"role": "user", "content": "ping"}]}'
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n"
        f"Host: {LOOPBACK}\r\nAuthorization: Bearer {door.key}\r\nContent-Length: {len(body)}\r\n"
    ).encode()
    closing = b"Connection: close\r\n"
    with socket.create_connection((LOOPBACK, httpx.URL(door.url).port or 0), 30) as caller:
        caller.sendall(head + b"\r\n" + body + head + closing + b"\r\n" + body)
        answers = caller.makefile("rb").read()
    assert answers.count(b"HTTP/1.1 200 OK") == 2, answers
    assert answers.count(b"m-first says: pong") == 2


def test_a_stream_ends_with_done(door: Door) -> None:
    """Its first chunk opens the message, its last one says how it ended."""
    response = door.ask(stream=True)
    first, *_, last, done = read = chunks(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert said(read) == "m-first says: pong"
    assert (last["choices"][0]["finish_reason"], done) == ("stop", "[DONE]")
    assert {one["object"] for one in read[:-1]} == {"chat.completion.chunk"}
    assert len({one["id"] for one in read[:-1]}) == 1
    assert response.headers["x-aurora-connection"] == "first"


def test_a_stream_counts_if_asked(door: Door) -> None:
    """In a chunk of its own, without choices; all others say null."""
    *before, last, _done = chunks(
        door.ask(stream=True, stream_options={"include_usage": True}).text
    )
    assert (last["choices"], last["usage"]["prompt_tokens"]) == ([], 7)
    assert [one["usage"] for one in before] == [None] * len(before)


@pytest.mark.parametrize("streams", [False, True])
def test_a_failure_before_the_first_piece_has_its_status(
    door: Door, line: InLine, *, streams: bool
) -> None:
    """With our code, and everyone who was asked."""
    for server in line.all.values():
        server.faults.set(Fault(refusal=Refusal.RATE_LIMITED, headers={"Retry-After": "7"}))
    response = door.ask(stream=streams)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (502, "rate_limited")
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-aurora-attempts"].startswith("first;code=rate_limited, second;")
    assert "x-should-retry" not in response.headers


def test_a_failure_in_mid_stream_is_an_error_and_not_done(door: Door, line: InLine) -> None:
    """What came before it stays the beginning of an answer."""
    line.first.faults.set(Fault(cut_after=3))
    response = door.ask(stream=True)
    *before, last = chunks(response.text)
    assert response.status_code == 200
    assert said(before)
    assert last["error"]["code"] == "unreachable"
    assert "[DONE]" not in response.text


def test_a_checked_stream_falls_over_in_mid_answer(door: Door, line: InLine) -> None:
    """Nothing of the one that broke off is seen."""
    line.first.faults.set(Fault(cut_after=3))
    response = door.ask({"x-aurora-stream": "checked"}, stream=True)
    assert said(chunks(response.text)) == "m-second says: pong"
    assert response.headers["x-aurora-attempts"] == "first;code=unreachable, second"


def test_models_are_roles_and_agents(door: Door) -> None:
    """Each is listed once, and can be asked for."""
    with door.client() as http:
        names = [one["id"] for one in http.get("/models").json()["data"]]
        assert names[:2] == ["specialist", "orchestrator"]
        assert "malware-analyst" in names
        assert len(names) == len(set(names))
        assert http.get("/models/malware-analyst").json()["id"] == "malware-analyst"
    assert door.ask(model="malware-analyst").status_code == 200


def test_an_unknown_model_is_not_found(door: Door) -> None:
    """As OpenAI says it; the name is not repeated."""
    response = door.ask(model="gpt-9000-secret")
    error = error_of(response)
    assert response.status_code == 404
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "gpt-9000-secret" not in response.text


@pytest.mark.parametrize("path", ["/responses", "/embeddings", "/chat", "/models/a/b", ""])
def test_an_unknown_path_has_openais_shape(door: Door, path: str) -> None:
    """It names those that there are, and SDKs raise what they raise at OpenAI's."""
    with door.client() as http:
        response = http.post(path, json={})
    error = error_of(response)
    assert (response.status_code, error["code"]) == (404, "http_404")
    assert error["type"] == "invalid_request_error"
    assert "/v1/chat/completions" in error["message"]


def test_a_wrong_method_has_openais_shape(door: Door) -> None:
    """With the methods that the path takes."""
    with door.client() as http:
        response = http.get("/chat/completions")
    error = error_of(response)
    assert (response.status_code, error["code"]) == (405, "http_405")
    assert (response.headers["allow"], error["message"]) == ("POST", "This path takes POST.")


@pytest.mark.parametrize("path", ["/v1beta", "/v10/models", "/api/v1/nothing"])
def test_other_unknown_paths_are_problems(door: Door, path: str) -> None:
    """As everywhere beside the door."""
    with patient.client() as http:
        response = http.get(door.url.removesuffix("/v1") + path)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "http_404"


def test_who_sends_no_token_is_unauthenticated(door: Door) -> None:
    """In OpenAI's shape, whether the body was read or not."""
    with door.client(key="nonsense") as http:
        for response in (http.get("/models"), http.post("/chat/completions", json={})):
            assert response.status_code == 401
            assert error_of(response)["type"] == "authentication_error"
            assert response.headers["www-authenticate"] == "Bearer"


def test_who_may_not_investigate_is_refused(door: Door) -> None:
    """An auditor reads, and asks nothing."""
    with door.client(key=token("viewer", secret=JWT_SECRET)) as http:
        response = http.get("/models")
    assert (response.status_code, error_of(response)["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("label", ["PURPLE", "", "NONE"])
def test_a_label_that_is_none_is_refused(door: Door, line: InLine, label: str) -> None:
    """Nobody is asked."""
    response = door.ask({"X-TLP": label})
    assert response.status_code == 400, response.text
    assert error_of(response)["param"] == "X-TLP"
    assert not line.asked


def test_the_label_chooses_who_may_answer(door: Door, line: InLine) -> None:
    """RED stays at the local connection."""
    response = door.ask({"X-TLP": "RED"})
    assert response.status_code == 200, response.text
    assert line.asked == {"third": 1}


@pytest.mark.parametrize(("seconds", "final"), [(30, None), (3_600, "false")])
def test_who_must_wait_for_long_is_told_not_to_try_again(seconds: int, final: str | None) -> None:
    """Older SDKs take no wait of over a minute: they would ask again twice within two seconds."""
    error = BudgetExceeded("Used up.", retry_after=seconds, resets_at="2030-01-01T00:00:00Z")
    headers = error_response(error).headers
    assert headers["retry-after"] == str(seconds)
    assert headers.get("x-should-retry") == final

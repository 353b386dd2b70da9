"""Streamed chat: the events of the contract, faults as events, and a caller who hangs up."""

import signal
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final

import httpx
import pytest

from tests.world.endless import EndlessUpstream, endless
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import CONFIG, Service, asked, events
from tests.world.vendor import Fault, Refusal, VendorServer

__all__ = ["endless"]  # pytest finds it here

PROBLEM: Final = {"type", "title", "status", "code", "detail"}
PATIENCE: Final = 60.0


@pytest.fixture
def analyst(service: Service) -> httpx.Client:
    """Return an analyst's client."""
    return service.client("analyst")


def test_stream_is_an_event_stream_that_nobody_keeps(analyst: httpx.Client) -> None:
    """The media type is that of server-sent events, and no cache or proxy may hold it."""
    answer = analyst.post("/chat", json=asked(stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"


def test_stream_is_deltas_then_one_done(analyst: httpx.Client) -> None:
    """Deltas hold content alone; the one `done` behind them holds the rest of the answer."""
    answer = analyst.post("/chat", json=asked(stream=True))
    *deltas, (last, done) = events(answer.text)
    assert {name for name, _ in deltas} == {"delta"}
    assert all(data.keys() == {"content"} for _, data in deltas)
    assert last == "done"
    assert done.keys() == {
        "connection",
        "provider",
        "model",
        "revision",
        "usage",
        "finish_reason",
    }


def test_stream_adds_up_to_the_unstreamed_answer(analyst: httpx.Client) -> None:
    """The same question gives the same text, provider, model and usage either way."""
    whole = analyst.post("/chat", json=asked()).json()
    *deltas, (_, done) = events(analyst.post("/chat", json=asked(stream=True)).text)
    assert "".join(data["content"] for _, data in deltas) == whole.pop("message")["content"]
    assert done == whole


def test_each_event_is_one_line_of_json(service: Service, local_servers: VendorServer) -> None:
    """Line breaks and quotes in an answer don't break the event stream."""
    said = 'one\ntwo\r\n\n"three"\n\ndata: four'
    before, local_servers.wording = local_servers.wording, lambda _question: said
    try:
        answer = service.client("analyst").post("/chat", json=asked(stream=True))
    finally:
        local_servers.wording = before
    *deltas, (last, _) = events(answer.text)
    assert "".join(data["content"] for _, data in deltas) == said
    assert last == "done"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(refusal=Refusal.BAD_KEY), "auth_failed"),
        (Fault(refusal=Refusal.UNKNOWN_MODEL), "model_not_found"),
        (Fault(refusal=Refusal.RATE_LIMITED), "rate_limited"),
        (Fault(refusal=Refusal.QUOTA), "quota_exceeded"),
        (Fault(refusal=Refusal.OVERLOADED), "overloaded"),
        (Fault(reset=True), "unreachable"),
        (Fault.html(), "bad_response"),
    ],
    ids=str,
)
def test_fault_before_the_first_piece_is_an_error_event(
    analyst: httpx.Client, local_servers: VendorServer, fault: Fault, code: str
) -> None:
    """A vendor's fault arrives as one `error` event: a problem document with the test's code."""
    with local_servers.faults.held(fault):
        answer = analyst.post("/chat", json=asked(stream=True))
    assert answer.status_code == 200
    ((name, problem),) = events(answer.text)
    assert name == "error"
    assert problem.keys() == PROBLEM
    assert problem["code"] == code


def test_fault_in_mid_stream_is_an_error_event_after_the_pieces(
    analyst: httpx.Client, local_servers: VendorServer
) -> None:
    """What came before the fault was handed on; the last event says what happened."""
    with local_servers.faults.held(Fault(cut_after=3)):
        answer = analyst.post("/chat", json=asked(stream=True))
    *deltas, (last, problem) = events(answer.text)
    assert [name for name, _ in deltas] == ["delta"] * len(deltas)
    assert deltas
    assert last == "error"
    assert problem["status"] == 502


def test_error_event_repeats_nothing_of_the_vendors(service: Service, hosted: VendorServer) -> None:
    """A vendor that echoes the key in its error is not quoted, nor is it in the log."""
    key = VENDOR_KEYS["openai"]
    service.client().put(CONFIG, json={"provider": "openai", "api_key": key})
    with hosted.faults.held(Fault(refusal=Refusal.SERVER_ERROR, echo_key=True)):
        answer = service.client("analyst").post("/chat", json=asked(stream=True))
    ((name, _),) = events(answer.text)
    assert name == "error"
    assert key not in answer.text + service.output


def test_refusal_before_the_stream_is_a_plain_problem(service: Service) -> None:
    """What is refused before any call is made has its own status, streamed or not."""
    admin = service.client()
    admin.put(CONFIG, json={"provider": "openai", "api_key": VENDOR_KEYS["openai"]})
    admin.delete("/system/llm/providers/openai/key")
    answer = service.client("analyst").post("/chat", json=asked(stream=True))
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_ready")
    assert answer.headers["content-type"] == "application/problem+json"


def test_restricted_label_never_reaches_a_hosted_stream(
    service: Service, hosted: VendorServer, local_servers: VendorServer
) -> None:
    """A RED stream goes to the local backend while a hosted one is active."""
    key = VENDOR_KEYS["openai"]
    service.client().put(CONFIG, json={"provider": "openai", "api_key": key})
    answer = service.client("analyst").post("/chat", json=asked(stream=True, tlp="RED"))
    assert events(answer.text)[-1][1]["provider"] == "vllm"
    assert hosted.requests == []
    assert any(request.path.endswith("/chat/completions") for request in local_servers.requests)


def test_caller_who_hangs_up_ends_the_upstream_call(
    service: Service, endless: EndlessUpstream
) -> None:
    """When the client disconnects in mid-stream, the backend is hung up on, too."""
    switched = service.client().put(CONFIG, json={"provider": "vllm", "base_url": endless.url})
    assert switched.status_code == 200
    body = asked(stream=True)
    with service.client("analyst").stream("POST", "/chat", json=body) as answer:
        lines = answer.iter_lines()  # kept: httpx closes the answer with the iterator
        assert next(lines) == "event: delta"
        assert not endless.hung_up.is_set()
    assert endless.hung_up.wait(PATIENCE)


def test_stream_in_flight_finishes_where_it_began(service: Service, hosted: VendorServer) -> None:
    """A switch in mid-stream doesn't move the stream, and the next call goes to the new one."""
    gate, admin = Event(), service.client()
    key = VENDOR_KEYS["openai"]
    admin.put(CONFIG, json={"provider": "openai", "api_key": key})
    hosted.faults.set(Fault(gate=gate))
    with service.client("analyst").stream("POST", "/chat", json=asked(stream=True)) as answer:
        assert admin.put(CONFIG, json={"provider": "ollama"}).status_code == 200
        gate.set()
        text = answer.read().decode()
    assert events(text)[-1][1]["provider"] == "openai"
    assert admin.post("/chat", json=asked()).json()["provider"] == "ollama"


def test_open_stream_does_not_hold_a_stop(endless: EndlessUpstream, tmp_path: Path) -> None:
    """A service that is asked to stop ends within a minute, whatever its callers still read."""
    with Service(tmp_path, {"LLM_VLLM_BASE_URL": endless.url}) as service:
        with service.client().stream("POST", "/chat", json=asked(stream=True)) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: delta"
            service.process.send_signal(signal.SIGTERM)
            with suppress(httpx.RemoteProtocolError):
                deque(lines, maxlen=0)
        assert service.wait(60) == -signal.SIGTERM
        assert "Traceback" not in service.output
    assert endless.hung_up.wait(PATIENCE)

"""What raw sockets can do to a real service, and to a host's app: little."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple, Self

import pytest

from tests.world.forked import Forked
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, free_port
from tests.world.service import (
    AURORASOC,
    Service,
    bearer,
    events,
    run_command,
    service_env,
    token,
)

CHAT: Final = "/api/v1/chat"
ENDS: Final = 10.0
"""Seconds after which a head that doesn't end is hung up on."""
UNFINISHED: Final = (b"", b"GET /readyz HTTP/1.1\r\nHost: a\r\nX: ")
"""Heads that don't end: never begun, and half sent."""


class Connection:
    """A connection on which anything can be sent."""

    def __init__(self, port: int) -> None:
        """Open it."""
        self._socket = socket.create_connection((LOOPBACK, port), timeout=ENDS * 4)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._socket.close()

    def head(self, method: str, path: str, **fields: str) -> None:
        """Send a request's head."""
        headers = {"Host": LOOPBACK, "Content-Type": "application/json"}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{n}: {v}" for n, v in headers.items() if v),
            "",
            "",
        ]
        self.send("\r\n".join(lines).encode())

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def flood(self, piece: bytes, times: int) -> bool:
        """Send one piece again and again; tell whether all of it was taken."""
        with suppress(OSError):
            for _ in range(times):
                self.send(piece)
            return True
        return False

    def answer(self) -> tuple[int, dict[str, str]]:
        """Read an answer: its status, and its body where it is JSON."""
        read = b""
        while b"\r\n\r\n" not in read or len(read) < _length(read):
            piece = self._socket.recv(65_536)
            if not piece:
                break
            read += piece
        if not read:
            return 0, {}
        body = read.partition(b"\r\n\r\n")[2]
        return int(read.split()[1]), json.loads(body) if body.startswith(b"{") else {}

    def seconds_until_closed(self) -> float:
        """Wait for the other side to hang up."""
        began = time.monotonic()
        with suppress(ConnectionResetError):
            while self._socket.recv(65_536):
                pass
        return time.monotonic() - began


def _length(read: bytes) -> int:
    head, _, _ = read.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.split(b":")[1])
    return len(head) + 4


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that no test breaks."""
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a host's bare app under a plain uvicorn; give its port."""
    folder, port = tmp_path_factory.mktemp("host"), free_port()
    env = service_env(folder / "state", {"HOST_LOG": str(folder / "host.log")})
    assert run_command("migrate", env=env, cwd=folder).returncode == 0
    command = [AURORASOC[0], "-m", "uvicorn", "--factory", "tests.world.host_platform:create_host"]
    with ChildProcess(
        [*command, "--port", str(port)],
        env=env,
        ready=f"http://{LOOPBACK}:{port}/readyz",
        log=folder / "uvicorn.log",
        cwd=Path(__file__).resolve().parents[2],  # where the host's module is found
        popen=Forked,
    ):
        yield port


@pytest.fixture(params=["service", "host"])
def port(request: pytest.FixtureRequest) -> int:
    """Return the port of our own service, then of a host's app that includes the routers."""
    site = request.getfixturevalue(request.param)
    return site if isinstance(site, int) else int(site.port)


@pytest.fixture
def signed_in() -> dict[str, str]:
    """Return an analyst's header."""
    return bearer(token("analyst"))


def test_no_token_is_refused_before_a_byte_of_the_body(port: int) -> None:
    """Though the body is announced and never sent."""
    for length in ({"Content_Length": "100000000"}, {"Transfer_Encoding": "chunked"}):
        with Connection(port) as connection:
            connection.head("POST", CHAT, **length)
            began = time.monotonic()
            status, problem = connection.answer()
            assert (status, problem["code"]) == (401, "unauthenticated")
            assert time.monotonic() - began < ENDS
            assert connection.seconds_until_closed() < ENDS


def test_announced_body_is_refused_unsent(port: int, signed_in: dict[str, str]) -> None:
    """A client that asks first never sends it."""
    with Connection(port) as connection:
        connection.head("POST", CHAT, Content_Length="59000000", Expect="100-continue", **signed_in)
        status, problem = connection.answer()
    assert (status, problem["code"]) == (413, "body_too_large")


def test_chunked_body_is_counted(port: int, signed_in: dict[str, str]) -> None:
    """Without an end of it, and without a length that would say so."""
    with Connection(port) as connection:
        connection.head("POST", CHAT, Transfer_Encoding="chunked", **signed_in)
        connection.flood(b"10000\r\n" + b"a" * 65_536 + b"\r\n", 70)
        status, problem = connection.answer()
        assert (status, problem["code"]) == (413, "body_too_large")
        assert connection.seconds_until_closed() < ENDS


@pytest.mark.parametrize("path", [CHAT, "/api/v1/investigations"])
def test_nested_body_is_refused(port: int, signed_in: dict[str, str], path: str) -> None:
    """Before it is parsed."""
    body = b'{"a":' * 500 + b"1" + b"}" * 500
    with Connection(port) as connection:
        connection.head("POST", path, Content_Length=str(len(body)), **signed_in)
        connection.send(body)
        status, problem = connection.answer()
    assert (status, problem["code"]) == (422, "invalid_input")
    assert "64 levels" in problem["detail"]


def body_that_does_not_come(port: int) -> tuple[int, str, float]:
    """Announce a body and never send it; return how it is answered, and how soon it is over."""
    with Connection(port) as connection:
        connection.head("POST", CHAT, Content_Length="100", **bearer(token("analyst")))
        connection.send(b"{")
        status, problem = connection.answer()
        return status, problem["code"], connection.seconds_until_closed()


def head_that_does_not_end(port: int, begun: bytes) -> float:
    """Never begin a head, or send half of it; return how soon it is over."""
    with Connection(port) as connection:
        connection.send(begun)
        return connection.seconds_until_closed()


def second_head_that_does_not_end(port: int) -> float:
    """Trickle a head byte by byte behind a request that was answered."""
    with Connection(port) as connection:
        connection.head("GET", "/healthz")
        assert connection.answer()[0] == 200
        connection.send(b"GET /healthz HTTP/1.1\r\nX: ")
        began = time.monotonic()
        while connection.flood(b"x", 1) and time.monotonic() - began < ENDS * 2:
            time.sleep(0.2)
        return time.monotonic() - began


class SlowCallers(NamedTuple):
    """What becomes of callers who keep a connection and send nothing, or next to nothing."""

    body: Future[tuple[int, str, float]]
    heads: list[Future[float]]
    second_head: Future[float]


@pytest.fixture(scope="module")
def slow(service: Service) -> Iterator[SlowCallers]:
    """Begin with all of them at once: each waits for the service's patience to end."""
    with ThreadPoolExecutor(2 + len(UNFINISHED)) as pool:
        yield SlowCallers(
            pool.submit(body_that_does_not_come, service.port),
            [pool.submit(head_that_does_not_end, service.port, begun) for begun in UNFINISHED],
            pool.submit(second_head_that_does_not_end, service.port),
        )


@pytest.fixture(autouse=True)
def _slow_callers_are_at_it(slow: SlowCallers) -> None:
    """Let them wait while the other tests run."""


def test_body_that_does_not_come_is_not_waited_for(slow: SlowCallers) -> None:
    """It is refused after half a minute, and the connection ends."""
    status, code, seconds = slow.body.result()
    assert (status, code) == (408, "request_timeout")
    assert seconds < ENDS


@pytest.mark.parametrize("which", range(len(UNFINISHED)))
def test_head_that_does_not_end_is_hung_up_on(slow: SlowCallers, which: int) -> None:
    """Never begun, or half sent."""
    assert slow.heads[which].result() < ENDS * 2


def test_second_head_on_a_connection_ends_too(slow: SlowCallers) -> None:
    """Trickled byte by byte behind a request that was answered."""
    assert slow.second_head.result() < ENDS * 2


def test_head_of_any_size_is_not_taken(service: Service) -> None:
    """One header field of gigabytes would fill the memory."""
    with Connection(service.port) as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        assert not connection.flood(b"x" * 65_536, 400)


def test_head_of_any_size_is_not_taken_behind_a_stream(
    service: Service, signed_in: dict[str, str]
) -> None:
    """While a request is being answered, the next head may come, and fill the memory as well."""
    with Connection(service.port) as connection:
        connection.head("GET", "/api/v1/system/llm/fleet/events", **signed_in)
        assert connection.answer()[0] == 200
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        assert not connection.flood(b"x" * 65_536, 400)


def test_slow_first_request_is_still_answered(service: Service) -> None:
    """A head in pieces, within its time."""
    with Connection(service.port) as connection:
        for piece in (b"GET /healthz HT", b"TP/1.1\r\nHost: 127.0", b".0.1\r\n\r\n"):
            connection.send(piece)
            time.sleep(0.3)
        assert connection.answer()[0] == 200


@pytest.mark.parametrize("path", ["/", "/readyz", "/settings/llm", CHAT])
@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"Host": "evil.test"}, 421, "unknown_host"),
        ({"Origin": "http://evil.test"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
    ],
    ids=str,
)
def test_pages_of_others_reach_nothing(
    service: Service, path: str, fields: dict[str, str], status: int, code: str
) -> None:
    """By a rebound name, or across origins."""
    with Connection(service.port) as connection:
        connection.head("GET", path, **fields)
        answered, problem = connection.answer()
    assert (answered, problem["code"]) == (status, code)


def test_trailing_slash_leads_nowhere(service: Service) -> None:
    """A redirect would be built on the Host that was sent."""
    with service.anonymous() as client:
        answer = client.get("/system/llm/providers/", headers={"Host": "localhost"})
    assert (answer.status_code, answer.json()["code"]) == (404, "http_404")
    assert "location" not in answer.headers


def test_name_that_is_configured_is_answered(tmp_path: Path) -> None:
    """As behind a proxy, with the page that the proxy serves under it."""
    variables = {"AURORA_PUBLIC_HOSTS": "soc.example"}
    with Service(tmp_path, variables) as service, Connection(service.port) as connection:
        connection.head("GET", "/readyz", Host="soc.example", Origin="https://soc.example")
        assert connection.answer()[0] == 200


def test_stream_ends_with_its_token(service: Service) -> None:
    """The last event says why."""
    soon = bearer(token(lifetime=timedelta(seconds=4)))
    with service.anonymous(soon) as client:
        began = time.monotonic()
        with client.stream("GET", "/system/llm/fleet/events") as answer:
            text = answer.read().decode()
    assert time.monotonic() - began < 30
    assert text.startswith("event: fleet\n")
    name, problem = events(text)[-1]
    assert (name, problem["code"]) == ("error", "unauthenticated")


def test_one_caller_cannot_take_all_streams(service: Service) -> None:
    """The next one of theirs is refused, and others' are served."""
    path = "/system/llm/fleet/events"
    with ExitStack() as streams:
        greedy = streams.enter_context(service.anonymous(bearer(token(subject="greedy"))))
        for _ in range(20):
            answer = streams.enter_context(greedy.stream("GET", path))
            assert answer.status_code == 200
        refused = greedy.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        other = streams.enter_context(service.anonymous(bearer(token(subject="other"))))
        assert streams.enter_context(other.stream("GET", path)).status_code == 200

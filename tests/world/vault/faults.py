"""A proxy in front of a Vault that does what one healthy server never does.

It plays the load balancer that answers a web page, the standby that lags or redirects, the
network that loses an answer after Vault committed. It listens on 127.0.0.1 and writes down all
it sees, tokens included.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from tests.world.loopback import LOOPBACK, LoopbackServer, reset
from tests.world.vendor.faults import HTML
from tests.world.vendor.http1 import Answer, Exchange, read_exchange

HEALTH: Final = "/v1/sys/health"
_GATE_DEADLINE: Final = 60.0
_HOP: Final = frozenset({"connection", "host", "transfer-encoding", "content-length"})


def error(status: int, *errors: str) -> Answer:
    """Answer as Vault refuses: a status and its list of errors."""
    return Answer.of({"errors": list(errors)}, status)


# What Vault and OpenBao write (vault/sdk `logical` and `consts`, error values). Before it is
# initialised, a Vault answers 501 to `/sys/health` alone, and is sealed to all other paths.
NEVER_EXISTED: Final = error(404)
NOT_YET_HERE: Final = error(412, "required index state not present")
QUOTA_EXCEEDED: Final = error(429, "rate limit quota exceeded")
NOT_INITIALISED: Final = error(501, "Vault is not initialized")
SEALED: Final = error(503, "Vault is sealed")
# What a load balancer does.
WEB_PAGE: Final = Answer(200, HTML, "text/html; charset=utf-8")


def health(status: int) -> Answer:
    """Answer `/sys/health` as a node does in the state that `status` stands for.

    429 is a standby, 472 a disaster recovery secondary, 473 a performance standby, 474 a standby
    that lost its active node, 501 not initialised, 503 sealed.
    """
    body = {
        "initialized": status != 501,
        "sealed": status in {501, 503},
        "standby": status != 200,
        "performance_standby": status == 473,
        "replication_dr_mode": "secondary" if status == 472 else "disabled",
        "replication_performance_mode": "disabled",
        "server_time_utc": int(time.time()),
        "version": "1.21.4",
        "enterprise": status in {472, 473},
    }
    return Answer.of(body, status)


class Gate:
    """Holds a request until `open`.

    `reached` tells the test that one waits there; `answered`, that the answer which waited at a
    `gate_after` was read to its end, and that the client has hung up since.
    """

    def __init__(self) -> None:
        """Begin closed."""
        self.reached = threading.Event()
        self.answered = threading.Event()
        self._opened = threading.Event()

    def open(self) -> None:
        """Let all that wait, and all that come, pass."""
        self._opened.set()

    async def occupied(self) -> None:
        """Wait in a test until a request is held here."""
        came = await asyncio.to_thread(self.reached.wait, _GATE_DEADLINE)
        assert came, "no request came to the gate"

    async def passed(self) -> None:
        """Wait for `open`, for a minute at most."""
        self.reached.set()
        await asyncio.to_thread(self._opened.wait, _GATE_DEADLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFault:
    """What goes wrong with requests of `method` (any if empty) whose path contains `where`.

    The first `skip` of them pass, the next `times` (None: all) meet the fault. Times in seconds.

    Before Vault is asked: `gate_before` and `delay` hold the request back, `hang` never answers.
    Instead of Vault: `answer`; `redirect`, a 307 to that origin with the request's path and query,
    as a standby sends it; `stale`, the answer that a GET of the same path and query last got
    through this proxy (404 if none did), as a lagging standby gives it.
    After Vault did as it was asked: `gate_after` holds its answer back; `lose` never delivers it,
    in `silence` or with a `reset`; `cut` resets in mid-body; `drip` waits before every byte of it.
    """

    method: str = ""
    where: str = ""
    skip: int = 0
    times: int | None = None
    gate_before: Gate | None = None
    delay: float = 0.0
    hang: bool = False
    answer: Answer | None = None
    redirect: str | None = None
    stale: bool = False
    gate_after: Gate | None = None
    lose: Literal["silence", "reset"] | None = None
    cut: bool = False
    drip: float = 0.0

    def meets(self, exchange: Exchange) -> bool:
        """Tell whether a request is one of those that the fault is for."""
        return self.where in exchange.path and self.method in {"", exchange.method}


@dataclass(frozen=True, slots=True)
class ProxiedRequest:
    """A request, the fault it met, and the status that Vault itself gave (None: not asked)."""

    exchange: Exchange
    fault: VaultFault
    status: int | None = None

    @property
    def token(self) -> str | None:
        """The Vault token it bore."""
        return self.exchange.headers.get("x-vault-token")


@dataclass(slots=True)
class _Rule:
    fault: VaultFault
    met: int = 0


class VaultFaultProxy(LoopbackServer):
    """Passes everything on to `upstream`, but for the faults that are in force."""

    def __init__(
        self,
        upstream: str,
        *,
        trust: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Describe the proxy; `url` is valid inside the `with` block.

        `trust` verifies an https `upstream`; with `tls` the proxy itself speaks TLS.
        """
        super().__init__()
        self.port = 0
        self._upstream = urlsplit(upstream)
        self._trust = trust
        self._tls = tls
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._seen: list[ProxiedRequest] = []
        self._last_reads: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        """What `VAULT_ADDR` is set to."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    def put(self, *faults: VaultFault) -> None:
        """Put faults in force, in place of those before; of several the first that fits counts."""
        with self._lock:
            self._rules = [_Rule(fault) for fault in faults]

    @contextlib.contextmanager
    def held(self, *faults: VaultFault) -> Iterator[None]:
        """Put faults in force for the length of a `with` block."""
        self.put(*faults)
        try:
            yield
        finally:
            self.put()

    def seen(self, where: str = "", method: str = "") -> list[ProxiedRequest]:
        """Return the requests of `method` whose path contains `where`, as they were settled."""
        pattern = VaultFault(where=where, method=method)
        with self._lock:
            return [seen for seen in self._seen if pattern.meets(seen.exchange)]

    def clear(self) -> None:
        """End every fault, and forget what was seen and read."""
        with self._lock:
            self._rules.clear()
            self._seen.clear()
            self._last_reads.clear()

    async def _open(self) -> None:
        self.port = await self._listen(self._serve, self._tls)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = await read_exchange(reader, tls=self._tls is not None)
        if exchange is None:
            return
        fault = self._take(exchange)
        if fault.gate_before:
            await fault.gate_before.passed()
        await asyncio.sleep(fault.delay)
        instead = self._instead(exchange, fault)
        if fault.hang or instead is not None:
            self._record(ProxiedRequest(exchange, fault))
            await (_write(writer, instead) if instead else _silence(reader))
            return
        try:
            answer = await self._forward(exchange)
        except OSError:  # it is stopped: what a load balancer's TCP mode shows of that
            self._record(ProxiedRequest(exchange, fault))
            reset(writer)
            return
        self._record(ProxiedRequest(exchange, fault, _status(answer)))
        await _deliver(reader, writer, answer, fault)

    def _take(self, exchange: Exchange) -> VaultFault:
        with self._lock:
            for rule in self._rules:
                if not rule.fault.meets(exchange):
                    continue
                rule.met += 1
                last = None if rule.fault.times is None else rule.fault.skip + rule.fault.times
                if rule.met > rule.fault.skip and (last is None or rule.met <= last):
                    return rule.fault
        return VaultFault()

    def _instead(self, exchange: Exchange, fault: VaultFault) -> bytes | None:
        """Return the whole response that stands in for Vault's, or None if Vault shall answer."""
        if fault.answer is not None:
            return _whole(fault.answer)
        if fault.redirect is not None:
            location = {"Location": fault.redirect + _target(exchange)}
            return _whole(Answer(307, headers=location))
        if fault.stale and exchange.method == "GET":
            with self._lock:
                return self._last_reads.get(_target(exchange), _whole(NEVER_EXISTED))
        return None

    async def _forward(self, exchange: Exchange) -> bytes:
        host, port = self._upstream.hostname, self._upstream.port
        reader, writer = await asyncio.open_connection(host, port, ssl=self._trust)
        try:
            writer.write(_request(exchange, self._upstream.netloc) + exchange.raw)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        if exchange.method == "GET":
            with self._lock:
                self._last_reads[_target(exchange)] = answer
        return answer

    def _record(self, seen: ProxiedRequest) -> None:
        with self._lock:
            self._seen.append(seen)


class ForeignOrigin(LoopbackServer):
    """Where a redirect leads: it answers 200 to everything, and keeps what it was sent."""

    def __init__(self) -> None:
        """Prepare it; `url` is valid inside the `with` block."""
        super().__init__()
        self.port = 0
        self._lock = threading.Lock()
        self._received: list[Exchange] = []

    @property
    def url(self) -> str:
        """The origin, without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def received(self) -> list[Exchange]:
        """The requests, in order of arrival."""
        with self._lock:
            return list(self._received)

    @property
    def tokens(self) -> list[str]:
        """The Vault tokens that came with them."""
        bearing = (exchange.headers.get("x-vault-token") for exchange in self.received)
        return [token for token in bearing if token]

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = await read_exchange(reader, tls=False)
        if exchange is not None:
            with self._lock:
                self._received.append(exchange)
            await _write(writer, _whole(Answer.of({"data": {"data": {}, "metadata": {}}})))


def _target(exchange: Exchange) -> str:
    query = urlencode(exchange.query, doseq=True)
    return f"{exchange.path}?{query}" if query else exchange.path


def _request(exchange: Exchange, host: str) -> bytes:
    kept: Mapping[str, str] = {
        name: value for name, value in exchange.headers.items() if name not in _HOP
    }
    headers = {**kept, "host": host, "connection": "close"}
    if exchange.raw:
        headers["content-length"] = str(len(exchange.raw))
    lines = [f"{exchange.method} {_target(exchange)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _whole(answer: Answer) -> bytes:
    head = answer.head().replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    return head + answer.body


def _status(response: bytes) -> int | None:
    _, _, rest = response.partition(b" ")
    return int(rest[:3]) if rest[:3].isdigit() else None


async def _deliver(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answer: bytes,
    fault: VaultFault,
) -> None:
    if fault.gate_after:
        await fault.gate_after.passed()
    if fault.lose == "silence":
        await _silence(reader)
    elif fault.lose == "reset":
        reset(writer)
    elif fault.cut:
        await _write(writer, answer[: _middle(answer)])
        reset(writer)
    elif fault.drip:
        await _drip(writer, answer, fault.drip)
    else:
        await _write(writer, answer)
        if fault.gate_after:
            await _silence(reader)
            fault.gate_after.answered.set()


def _middle(response: bytes) -> int:
    """Return the middle of the body, or of the head where there is no body."""
    head = response.index(b"\r\n\r\n") + 4
    return (head + len(response)) // 2 if len(response) > head else head // 2


async def _drip(writer: asyncio.StreamWriter, response: bytes, pause: float) -> None:
    head = response.index(b"\r\n\r\n") + 4
    await _write(writer, response[:head])
    for position in range(head, len(response)):
        await asyncio.sleep(pause)
        await _write(writer, response[position : position + 1])


async def _write(writer: asyncio.StreamWriter, payload: bytes) -> None:
    writer.write(payload)
    await writer.drain()


async def _silence(reader: asyncio.StreamReader) -> None:
    """Say nothing until the client hangs up."""
    while await reader.read(1024):
        pass

"""The vendors' front door: one loopback server, plain and TLS, that records all it is asked."""

import asyncio
import ssl
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from tests.world.loopback import LOOPBACK, LoopbackServer, reset
from tests.world.vendor.faults import Fault, FaultSwitch, Refusal
from tests.world.vendor.http1 import Answer, Exchange, chunk, read_exchange
from tests.world.vendor.openai_wire import tags
from tests.world.vendor.routing import VENDORS, Route, Wire, route, wire_of
from tests.world.vendor.turn import RefusedError, Wording, answer, says_pong, thinking_only

_GATE_LIMIT: Final = 30.0
_GATE_POLL: Final = 0.01
_NOWHERE: Final = Answer.of({"detail": "Not Found"}, 404)


class VendorServer(LoopbackServer):
    """Play one or several vendors on 127.0.0.1, as each vendor's documentation says.

    `keys` maps a vendor to its valid key, and may be changed while the server runs. Under a
    vendor's own host name a vendor without a key refuses everyone; on loopback, vendors without
    keys let everyone in. `models` maps a vendor to the models it knows; an absent vendor knows
    any. `plays` limits which vendors are played; on loopback, a Chat Completions request is
    taken for the vendor whose key or model it names, else for the first that is played.
    """

    def __init__(
        self,
        keys: Mapping[str, str] | None = None,
        models: Mapping[str, Sequence[str]] | None = None,
        *,
        plays: Collection[str] = VENDORS,
        tls: ssl.SSLContext | None = None,
        wording: Wording = says_pong,
        port: int = 0,
    ) -> None:
        """Prepare the server; it listens inside the `with` block, on TLS only if `tls` is given."""
        super().__init__()
        self.keys = dict(keys or {})
        self.models = {vendor: list(names) for vendor, names in (models or {}).items()}
        self.faults = FaultSwitch()
        self.wording = wording
        self.port = port
        self.tls_port = 0
        self._plays = plays
        self._tls = tls
        self._lock = threading.Lock()
        self._requests: list[Exchange] = []

    @property
    def url(self) -> str:
        """The plain HTTP origin, without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The HTTPS origin, without a path."""
        return f"https://{LOOPBACK}:{self.tls_port}"

    @property
    def requests(self) -> list[Exchange]:
        """All requests so far; each is recorded before its answer begins."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget the requests and end every fault."""
        with self._lock:
            self._requests.clear()
        self.faults.clear()

    async def _open(self) -> None:
        self.port = await self._listen(self._plain, port=self.port)
        if self._tls is not None:
            self.tls_port = await self._listen(self._secured, self._tls)

    async def _plain(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, tls=False)

    async def _secured(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, tls=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tls: bool
    ) -> None:
        while (exchange := await read_exchange(reader, tls=tls)) is not None:
            with self._lock:
                self._requests.append(exchange)
            fault = self.faults.take(exchange.path)
            await _pause(fault)
            if fault.reset:
                reset(writer)
                return
            if not await _send(writer, self._answer(exchange, fault), fault):
                return

    def _answer(self, exchange: Exchange, fault: Fault) -> Answer:
        matched = route(exchange, self._plays)
        if fault.status is not None:
            return Answer(fault.status, fault.body, fault.media_type, fault.headers)
        if fault.redirect is not None:
            return Answer(307, headers={"Location": fault.redirect})
        if matched is None:
            return _NOWHERE
        if matched.errand == "health":
            return Answer()
        wire = wire_of(self._meant(exchange, matched))
        key = wire.key(exchange)
        model = wire.model(exchange) if matched.errand == "complete" else ""
        note = f"The key {key} was refused." if fault.echo_key else ""
        echo = {"X-Echoed-Key": key} if fault.echo_key else {}
        try:
            self._admit(wire, key, model, fault, named=matched.named)
            done = self._done(wire, exchange, matched, fault)
        except RefusedError as refused:
            done = wire.refusal(refused.refusal, model, note or refused.message)
        headers = {**done.headers, **echo, **fault.headers}
        return Answer(done.status, done.body, done.media_type, headers, done.events)

    def _done(self, wire: Wire, exchange: Exchange, matched: Route, fault: Fault) -> Answer:
        known = self.models.get(wire.vendor, [])
        if matched.errand == "tags":
            return tags(known)
        if matched.errand == "models":
            return wire.models(known)
        try:
            question = wire.question(exchange)
        except (KeyError, TypeError, AttributeError) as malformed:
            raise RefusedError(Refusal.BAD_REQUEST) from malformed
        turn = thinking_only() if fault.empty_content else answer(question, self.wording)
        return wire.answer(turn, question)

    def _meant(self, exchange: Exchange, matched: Route) -> str:
        """Choose among the vendors that share a wire format: by key, then by model."""
        for vendor in matched.vendors:
            if self.keys.get(vendor) == wire_of(vendor).key(exchange):
                return vendor
        if matched.errand == "complete":
            for vendor in matched.vendors:
                if wire_of(vendor).model(exchange) in self.models.get(vendor, []):
                    return vendor
        keyed = [vendor for vendor in matched.vendors if vendor in self.keys]
        return (keyed or matched.vendors)[0]

    def _admit(self, wire: Wire, key: str, model: str, fault: Fault, *, named: bool) -> None:
        expected = self.keys.get(wire.vendor)
        if fault.refusal is not None:
            raise RefusedError(fault.refusal)
        if not fault.ignore_keys and key != expected and (named or expected is not None):
            raise RefusedError(Refusal.BAD_KEY)
        known = self.models.get(wire.vendor)
        if model and known is not None and model not in known:
            raise RefusedError(Refusal.UNKNOWN_MODEL)


async def _pause(fault: Fault) -> None:
    await asyncio.sleep(fault.delay)
    waited = 0.0
    while fault.gate is not None and not fault.gate.is_set() and waited < _GATE_LIMIT:
        await asyncio.sleep(_GATE_POLL)
        waited += _GATE_POLL


async def _send(writer: asyncio.StreamWriter, done: Answer, fault: Fault) -> bool:
    """Write the answer; tell whether the connection lives on."""
    writer.write(done.head())
    if done.events is None:
        writer.write(done.body[: fault.lost_after])
        await writer.drain()
        return fault.lost_after is None
    cut = 0 if fault.empty_stream else fault.cut_after
    for event in done.events[:cut]:
        writer.write(chunk(event))
        await writer.drain()
        await asyncio.sleep(fault.event_delay)
    if cut is not None and not (fault.cut_politely or fault.empty_stream):
        await asyncio.sleep(_GATE_POLL)  # let the first events arrive before the reset
        reset(writer)
        return False
    writer.write(chunk(b""))
    await writer.drain()
    return True

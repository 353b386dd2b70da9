"""The one place where calls to models leave: our transport, one try, bounded answers.

No redirect is followed, no cookie kept, nothing but identity encoding read. What the transport
may connect to was judged (`transports`); what comes back is bounded in bytes, events and lines.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Final

import httpx

from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.llm.wire.asking.request import Transmission
from aurorasoc.llm.wire.call_notes import note_sent
from aurorasoc.llm.wire.failures.translate import (
    AnswerTooLong,
    NoEventStream,
    StreamBrokenOff,
    failure_in_document,
    failure_of_answer,
)
from aurorasoc.llm.wire.hosted_bytes import HOSTED_BYTES
from aurorasoc.llm.wire.key_uses import KEY_USES
from aurorasoc.llm.wire.sending.bounded import read_at_most
from aurorasoc.llm.wire.sending.events import EventReader
from aurorasoc.llm.wire.sending.open_answers import remember_answer
from aurorasoc.llm.wire.sending.transports import judged_transport, trusted_transport

MAX_ANSWER_BYTES: Final = 32_000_000
MAX_ERROR_BYTES: Final = 64_000
DONE: Final = b"[DONE]"
"""OpenAI's closing word."""

_LAST_BYTES_SECONDS: Final = 0.2
"""How long the end of a stream is awaited behind its closing word, to keep the connection."""

_HEADERS: Final = {"accept-encoding": "identity", "user-agent": "aurorasoc"}


class Sender:
    """Sends one reference's calls.

    Args:
        reference: Who is called; names the provider in errors.
        address_policy: Which addresses may be connected to; None: the configuration is trusted.
    """

    def __init__(self, reference: ModelReference, address_policy: AddressPolicy | None) -> None:
        self._reference = reference
        self._address_policy = address_policy

    async def whole(self, transmission: Transmission) -> bytes:
        """Return the body of a whole answer.

        Raises:
            ModelCallError: The provider refused.
            AnswerTooLong: It sent more than an answer may hold.
            httpx.HTTPError: The connection failed.
        """
        async with self._answered(transmission) as response:
            with HOSTED_BYTES.exchanging(self._reference):
                body = await read_at_most(response, MAX_ANSWER_BYTES)
        if body is None:
            raise AnswerTooLong
        return body

    async def events(self, transmission: Transmission) -> AsyncGenerator[bytes]:
        """Yield the data of each event of a streamed answer; `[DONE]`, where it comes, is last.

        Raises:
            ModelCallError: The provider refused.
            AnswerTooLong: It sent more than an answer may hold.
            NoEventStream: What came is no event stream.
            StreamBrokenOff: It ended within an event.
            httpx.HTTPError: The connection failed.
        """
        async with self._answered(transmission) as response:
            remember_answer(response)
            reader, beginning = EventReader(), bytearray()
            chunks = response.aiter_raw()
            async for chunk in chunks:
                HOSTED_BYTES.note(self._reference)
                if not reader.count and len(beginning) < MAX_ERROR_BYTES:
                    beginning += chunk
                for data in reader.feed(chunk):
                    yield data
                    if data == DONE:
                        await _await_end(chunks)
                        return
            for data in reader.end():
                _require_complete(data)
                yield data
            if not reader.count:
                document, sent = _json(beginning), transmission.sent
                raise failure_in_document(document, self._reference, sent) or NoEventStream

    @asynccontextmanager
    async def _answered(self, transmission: Transmission) -> AsyncIterator[httpx.Response]:
        headers = {**transmission.headers, **_HEADERS}
        request = httpx.Request(
            "POST", transmission.url, headers=headers, content=transmission.body
        )
        # No client in between: it would follow redirects, keep cookies and merge headers.
        KEY_USES.note(self._reference.key_tag)
        HOSTED_BYTES.note(self._reference)
        note_sent(self._reference.connection)
        response = await _transport(self._address_policy).handle_async_request(request)
        try:
            if not response.is_success:
                status, text = response.status_code, await _beginning(response)
                raise failure_of_answer(
                    status,
                    text,
                    self._reference,
                    sent=transmission.sent,
                    url=transmission.url,
                    headers=response.headers,
                )
            _require_identity(response)
            yield response
        finally:
            await response.aclose()


def close_all() -> list[httpx.AsyncBaseTransport]:
    """Forget the kept connections, and return their transports for closing."""
    transports = [_transport(address_policy) for address_policy in _address_policies]
    _address_policies.clear()
    _transport.cache_clear()
    return transports


_address_policies: set[AddressPolicy | None] = set()


@cache
def _transport(address_policy: AddressPolicy | None) -> httpx.AsyncBaseTransport:
    """Return the transport for one kind of connection. `CallSite` holds LLM_TIMEOUT around it."""
    _address_policies.add(address_policy)
    return trusted_transport() if address_policy is None else judged_transport(address_policy)


def _require_identity(response: httpx.Response) -> None:
    """Refuse an encoding that wasn't asked for: a small body may unfold to any size."""
    if response.headers.get("content-encoding", "identity") != "identity":
        msg = "the answer is encoded, though it was asked not to be"
        raise httpx.DecodingError(msg)


def _json(data: bytearray) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _require_complete(data: bytes) -> None:
    """Tell a last event that lacks its blank line from one that was cut."""
    try:
        whole = data == DONE or bool(json.loads(data))
    except ValueError:
        whole = False
    if not whole:
        raise StreamBrokenOff


async def _beginning(response: httpx.Response) -> str:
    """Read as much of an error's text as its marks need."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    return bytes(body[:MAX_ERROR_BYTES]).decode(errors="replace")


async def _await_end(chunks: AsyncIterator[bytes]) -> None:
    """Wait a moment for the end of the body: its connection can be used again then."""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            await anext(chunks, None)

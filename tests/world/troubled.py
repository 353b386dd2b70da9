"""A provider in trouble: the sixteen kinds of fault of a public crash test of gateways.

They are those of failoverbench (September 2026). The server speaks Chat Completions
(https://platform.openai.com/docs/api-reference/chat), whole and streamed, and notes when it was
asked: what hammers shows there.
"""

import asyncio
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from tests.world.loopback import LOOPBACK, LoopbackServer, reset
from tests.world.vendor.http1 import Answer, Exchange, chunk, read_exchange, sse

WORDS: Final = tuple(f"word-{number}" for number in range(1, 13))
TEXT: Final = " ".join(WORDS)
BEGUN: Final = 2 * len(WORDS) // 3
"""Words of an answer that breaks off after two thirds."""

PROMPT_TOKENS: Final = 7
ASKS_TO_WAIT: Final = 600
"""Seconds of `Retry-After`: beyond any call's time."""

NEVER: Final = 3600.0
"""Seconds: nobody waits that long."""


class Trouble(StrEnum):
    """What is wrong with a provider."""

    NONE = "nothing"
    ASKS_TO_WAIT = "429 with Retry-After"
    RATE_LIMITED = "429 without Retry-After"
    FAILS_ONCE = "500 once"
    DOWN = "503, persistent"
    RESET = "reset before headers"
    SILENT = "silence"
    LATE = "first token too late"
    CUT = "cut after two thirds"
    STALLED = "stalls after two thirds"
    MALFORMED = "malformed event"
    NO_DONE = "no [DONE]"
    TOO_LONG = "context too long"
    FILTERED = "content filter"
    CUT_AND_NO_PREFILL = "cut, and the next refuses a prefilled answer"
    DOWN_AND_BACK = "down for a minute, and back"
    COUNTED = "fails after it has counted tokens"


_CUTS: Final = frozenset({Trouble.CUT, Trouble.CUT_AND_NO_PREFILL, Trouble.COUNTED})
_REFUSALS: Final[dict[Trouble, Answer]] = {
    Trouble.ASKS_TO_WAIT: Answer.of(
        {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}},
        429,
        Retry_After=str(ASKS_TO_WAIT),
    ),
    Trouble.RATE_LIMITED: Answer.of(
        {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}, 429
    ),
    Trouble.FAILS_ONCE: Answer.of({"error": {"message": "Internal error."}}, 500),
    Trouble.DOWN: Answer.of({"error": {"message": "Down."}}, 503),
    Trouble.DOWN_AND_BACK: Answer.of({"error": {"message": "Down."}}, 503),
    Trouble.TOO_LONG: Answer.of(
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
        400,
    ),
}
_PREFILLED: Final = Answer.of(
    {"error": {"message": "The last message must be from the user."}}, 400
)


class TroubledProvider(LoopbackServer):
    """Answers `TEXT`, if its trouble lets it.

    Attributes:
        trouble: What is wrong with it; may be changed while it runs.
        late: Seconds until the first token, where that is the trouble.
        asked: When each request came, in seconds of `time.monotonic`.
        requests: What was asked.
    """

    def __init__(self, trouble: Trouble = Trouble.NONE, *, late: float = NEVER) -> None:
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__()
        self.trouble = trouble
        self.late = late
        self.port = 0
        self.asked: list[float] = []
        self.requests: list[Exchange] = []

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    def begin(self, trouble: Trouble) -> None:
        """Begin anew, with another trouble."""
        self.trouble = trouble
        self.asked.clear()
        self.requests.clear()

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (exchange := await read_exchange(reader, tls=False)) is not None:
            if not exchange.path.endswith("/chat/completions"):
                writer.write(_whole(Answer.of({"object": "list", "data": []})))
                continue
            self.asked.append(time.monotonic())
            self.requests.append(exchange)
            await self._answer(exchange, writer)

    async def _answer(self, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        if exchange.body["messages"][-1]["role"] == "assistant":
            writer.write(_whole(_PREFILLED))
        elif self.trouble is Trouble.RESET:
            reset(writer)
        elif self.trouble is Trouble.SILENT:
            await asyncio.sleep(NEVER)
        elif self.trouble in _REFUSALS and not self._is_over_it:
            writer.write(_whole(_REFUSALS[self.trouble]))
        elif exchange.body.get("stream"):
            await self._stream(exchange, writer)
        else:
            await self._whole(exchange, writer)
        await writer.drain()

    @property
    def _is_over_it(self) -> bool:
        return self.trouble is Trouble.FAILS_ONCE and len(self.asked) > 1

    async def _whole(self, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        if self.trouble is Trouble.LATE:
            await asyncio.sleep(self.late)
        answer = _whole(Answer.of(_document(exchange, self._finish)))
        if self.trouble is Trouble.MALFORMED:
            answer = answer.replace(b'"choices": [', b'"choices": {', 1)
        broken_off = 2 * len(answer) // 3
        if self.trouble in _CUTS:
            writer.write(answer[:broken_off])
            await _arrived(writer)
            reset(writer)
        elif self.trouble is Trouble.STALLED:
            writer.write(answer[:broken_off])
            await writer.drain()
            await asyncio.sleep(NEVER)
        else:
            writer.write(answer)

    async def _stream(self, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        writer.write(Answer.stream([]).head())
        await writer.drain()
        if self.trouble is Trouble.LATE:
            await asyncio.sleep(self.late)
        for place, event in enumerate(_events(exchange, self._finish)):
            if place == BEGUN and self.trouble in {*_CUTS, Trouble.STALLED, Trouble.MALFORMED}:
                await self._break(writer)
                return
            if event != _DONE or self.trouble is not Trouble.NO_DONE:
                writer.write(chunk(event))
        writer.write(chunk(b""))

    async def _break(self, writer: asyncio.StreamWriter) -> None:
        if self.trouble is Trouble.STALLED:
            await writer.drain()
            await asyncio.sleep(NEVER)
        if self.trouble is Trouble.MALFORMED:
            writer.write(chunk(b'data: {"choices": [{"delta": {"content": \n\n'))
            writer.write(chunk(b""))
            return
        await _arrived(writer)
        reset(writer)

    @property
    def _finish(self) -> str:
        return "content_filter" if self.trouble is Trouble.FILTERED else "stop"


_DONE: Final = sse("[DONE]")


async def _arrived(writer: asyncio.StreamWriter) -> None:
    """Let what was written arrive: a reset would overtake it."""
    await writer.drain()
    await asyncio.sleep(0.02)


def _whole(answer: Answer) -> bytes:
    return answer.head() + answer.body


def _document(exchange: Exchange, finish: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "" if finish == "content_filter" else TEXT}
    return {
        **_shared(exchange, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": _usage(),
    }


def _events(exchange: Exchange, finish: str) -> Sequence[bytes]:
    shared = _shared(exchange, "chat.completion.chunk")
    words = () if finish == "content_filter" else WORDS
    pieces = [word if place == 0 else f" {word}" for place, word in enumerate(words)]
    deltas = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    last = {"index": 0, "delta": {}, "finish_reason": finish}
    choices = [*([one] for one in deltas), [last]]
    events = [sse({**shared, "choices": choice}) for choice in choices]
    return [*events, sse({**shared, "choices": [], "usage": _usage()}), _DONE]


def _shared(exchange: Exchange, kind: str) -> dict[str, Any]:
    return {"id": "1", "object": kind, "created": 1, "model": exchange.body["model"]}


def _usage() -> dict[str, int]:
    completion = len(WORDS)
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion,
        "total_tokens": PROMPT_TOKENS + completion,
    }

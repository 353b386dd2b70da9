"""Where a stream ends, and where it breaks off."""

import gzip
from collections.abc import AsyncIterator, Sequence
from typing import Final

import httpx
import pytest

from aurorasoc.llm.wire.whole_answer import require_whole

URL: Final = "https://api.example/v1/chat/completions"
STREAMED: Final = {"model": "m", "stream": True}
PIECE: Final = b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": null}]}\n\n'
CLOSINGS: Final = {
    "openai": b"data: [DONE]\n\n",
    "openai without DONE": b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n',
    "compact": b'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\n',
    "anthropic": b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
    "gemini": b'data: {"candidates": [{"finishReason": "STOP"}]}\n\n',
    "gemini refused": b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\n\n',
}


class _Chunks(httpx.AsyncByteStream):
    """A body that arrives in these pieces."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        """Remember them."""
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give one after the other."""
        for chunk in self._chunks:
            yield chunk


async def _read(
    *chunks: bytes,
    asked: object = STREAMED,
    url: str = URL,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Let the hook see a response, and read it."""
    request = httpx.Request("POST", url, json=asked)
    response = httpx.Response(status, headers=headers, stream=_Chunks(chunks), request=request)
    await require_whole(response)
    return await response.aread()


@pytest.mark.parametrize("vendor", CLOSINGS)
async def test_a_stream_with_its_closing_word_is_whole(vendor: str) -> None:
    """And is handed on byte by byte."""
    assert await _read(PIECE, CLOSINGS[vendor]) == PIECE + CLOSINGS[vendor]


@pytest.mark.parametrize("vendor", CLOSINGS)
async def test_a_closing_word_may_be_cut_in_two(vendor: str) -> None:
    """Wherever the network cuts."""
    whole = PIECE + CLOSINGS[vendor]
    assert await _read(*(whole[i : i + 1] for i in range(len(whole)))) == whole


async def test_a_stream_without_it_broke_off() -> None:
    """`"finish_reason": null` stands in every piece."""
    with pytest.raises(httpx.RemoteProtocolError):
        await _read(PIECE, PIECE)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"hello": 1}'])
async def test_what_is_no_stream_is_no_answer(body: bytes) -> None:
    """A portal's page, or nothing."""
    with pytest.raises(httpx.DecodingError):
        await _read(body)


async def test_gemini_says_in_its_address_that_it_streams() -> None:
    """Its body doesn't."""
    url = "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse"
    with pytest.raises(httpx.RemoteProtocolError):
        await _read(b'data: {"candidates": [{}]}\n\n', asked={}, url=url)


@pytest.mark.parametrize(
    "asked",
    [{"stream": False}, {}, {"messages": [{"content": 'the words "stream": true'}]}],
    ids=["told not to", "not told", "only talked about"],
)
async def test_a_whole_answer_is_not_watched(asked: object) -> None:
    """It is one JSON document, which parses or doesn't."""
    assert await _read(b"anything", asked=asked) == b"anything"


async def test_a_refusal_is_not_watched() -> None:
    """Its body is an error's."""
    assert await _read(b"no", status=500) == b"no"


async def test_a_compressed_stream_is_left_alone() -> None:
    """Though it was asked not to be, it may be whole; it can't be told."""
    packed = gzip.compress(PIECE)
    assert await _read(packed, headers={"content-encoding": "gzip"}) == PIECE

"""Bodies are counted as they come, and looked at before they are parsed."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.core.inbound import bodies
from aurorasoc.core.inbound.bodies import MAX_DEPTH, MAX_PARTS, read_body, require_shallow
from aurorasoc.errors import BodyTooLarge, InvalidInput, RequestTimeout

Message = dict[str, object]
JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.text(alphabet='[]{}"\\,:'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Sent:
    """What a client sends, and how much of it was taken."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        """Send these parts; one that doesn't end goes on with nothing."""
        self._messages: Iterator[Message] = iter(
            [
                {"type": "http.request", "body": part, "more_body": not ends or at < len(parts)}
                for at, part in enumerate(parts, 1)
            ]
        )
        self.taken = 0

    async def __call__(self) -> Message:
        """Return the next part."""
        message = next(self._messages, None)
        if message is None:
            await asyncio.Event().wait()
            raise AssertionError
        self.taken += 1
        return message


async def test_body_within_the_limit_comes_whole() -> None:
    """In as many parts as it likes."""
    assert await read_body(Sent(b"a", b"", b"bc"), [], 3) == b"abc"


async def test_announced_length_is_refused_before_a_byte_is_taken() -> None:
    """So nobody has to send it."""
    sent = Sent(b"a" * 10)
    with pytest.raises(BodyTooLarge):
        await read_body(sent, [(b"content-length", b"11")], 10)
    assert sent.taken == 0


async def test_body_without_an_announced_length_is_counted() -> None:
    """Chunked, or with a length that lies: reading stops at the first part too much."""
    sent = Sent(*[b"a" * 4] * 100)
    with pytest.raises(BodyTooLarge):
        await read_body(sent, [(b"content-length", b"4")], 10)
    assert sent.taken == 3


async def test_body_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte or not at all."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    with pytest.raises(RequestTimeout):
        await read_body(Sent(b"{", ends=False), [], 10)


@given(JSON)
def test_json_of_few_levels_passes(value: object) -> None:
    """Whatever its texts hold: brackets, quotes, backslashes."""
    text = json.dumps(value)
    body = f"[{','.join([text] * (1 + 100 // len(text)))}]".encode()
    require_shallow(body)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"[":', "}]")])
def test_depth_is_counted_exactly(opening: str, closing: str) -> None:
    """At the limit it passes, one level more is refused."""
    levels = MAX_DEPTH // (opening.count("[") + opening.count("{") - ('"[' in opening))
    body = (opening * levels + "1" + closing * levels).encode()
    require_shallow(body)
    with pytest.raises(InvalidInput, match="64 levels"):
        require_shallow(b"[" + body + b"]")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
async def test_a_body_in_another_encoding_arrives_in_utf8(encoding: str) -> None:
    """PowerShell sends a file as it wrote it."""
    body = '{"title": "Störung ∀"}'
    assert await read_body(Sent(body.encode(encoding)), [], 1_000) == body.encode()


async def test_depth_is_counted_in_another_encoding_too() -> None:
    """A character whose bytes hold a quotation mark doesn't hide the brackets behind it."""
    deep = f'["\u2200", {"[" * 100}{"]" * 100}]'
    body = await read_body(Sent(deep.encode("utf-16-le")), [], 10_000)
    with pytest.raises(InvalidInput, match="64 levels"):
        require_shallow(body)


async def test_a_body_in_no_encoding_of_unicode_is_refused() -> None:
    """It begins as one, and isn't."""
    with pytest.raises(InvalidInput, match="UTF-8"):
        await read_body(Sent(b"\xff\xfe{"), [], 100)


def test_number_of_parts_is_bounded() -> None:
    """Each empty list is three bytes here, and many times that once it is parsed."""
    require_shallow(b"[" + b"[]," * (MAX_PARTS - 2) + b"[]]")
    with pytest.raises(InvalidInput, match="lists and objects"):
        require_shallow(b"[" + b"[]," * MAX_PARTS + b"[]]")


@pytest.mark.parametrize(
    "piece", [b"[", b"]", b'"', b"\\", b'\\"', b'"\\', b"[]", b'["', b"{}", b'"[', b'""', b'"a",']
)
def test_looking_takes_time_in_proportion_to_the_bytes(piece: bytes) -> None:
    """No body makes it quadratic: that would be the attack that it is there against."""
    body = b"[" * (MAX_DEPTH + 1) + b']"' + piece * (4 * bodies.MIB // len(piece))
    began = time.process_time()
    with suppress(InvalidInput):
        require_shallow(body)
    assert time.process_time() - began < 5

"""The reader of server-sent events: what it hands on, and where it ends."""

import pytest

from aurorasoc.llm.wire.failures.translate import AnswerTooLong
from aurorasoc.llm.wire.sending import events
from aurorasoc.llm.wire.sending.events import EventReader


def _read(*chunks: bytes) -> list[bytes]:
    reader = EventReader()
    events = [data for chunk in chunks for data in reader.feed(chunk)]
    return [*events, *reader.end()]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_an_event_is_its_data(ending: bytes) -> None:
    """Names, comments and ids are left out; both line endings are read."""
    lines = [b": hello", b"event: x", b"id: 1", b'data: {"a": 1}', b"", b"data:two", b"", b""]
    assert _read(ending.join(lines)) == [b'{"a": 1}', b"two"]


def test_an_error_in_a_field_of_its_own_is_an_event() -> None:
    """As llama.cpp sent it before September 2025."""
    stream = b'data: {"a": 1}\n\nerror: {"code":500}\n\ndata: [DONE]\n\n'
    assert _read(stream) == [b'{"a": 1}', b'{"error": {"code":500}}', b"[DONE]"]


def test_lines_of_data_are_one_event() -> None:
    """As the standard says."""
    assert _read(b"data: {\ndata: }\n\n") == [b"{\n}"]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_however_the_bytes_arrive_the_events_are_the_same(size: int) -> None:
    """A chunk ends anywhere."""
    stream = b'data: {"text": "caf\xc3\xa9"}\r\n\r\ndata: [DONE]\n\n'
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert _read(*pieces) == _read(stream) == [b'{"text": "caf\xc3\xa9"}', b"[DONE]"]


def test_a_last_event_without_its_blank_line_is_read() -> None:
    """Some servers hang up right behind it."""
    assert _read(b"data: one\n\ndata: [DONE]") == [b"one", b"[DONE]"]


def test_a_byte_order_mark_is_left_out() -> None:
    """It may stand before the first line, and there alone."""
    assert _read(b"\xef\xbb\xbfdata: one\n\n") == [b"one"]


def test_a_page_holds_no_event() -> None:
    """What speaks of data in the middle of a line is none."""
    assert _read(b"<html>the data: none</html>\n\n") == []


def test_an_endless_line_ends() -> None:
    """No server makes this process keep what it never finishes."""
    with pytest.raises(AnswerTooLong):
        _read(*[b"x" * 1_000_000] * (events.MAX_LINE_BYTES // 1_000_000 + 1))


def test_endless_lines_of_one_event_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are kept until its end: it is bounded as one line is, and empty lines count, too."""
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 100)
    assert _read(b"data: " + b"x" * 100 + b"\n\n") == [b"x" * 100]
    for line in (b"data: " + b"x" * 30 + b"\n", b"data:\n"):
        with pytest.raises(AnswerTooLong):
            _read(line * 102)


def test_endless_comments_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes count whether or not they are events."""
    monkeypatch.setattr(events, "MAX_STREAM_BYTES", 100)
    with pytest.raises(AnswerTooLong):
        _read(*[b": still here\n"] * 10)


def test_endless_events_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an object for whoever reads it."""
    monkeypatch.setattr(events, "MAX_EVENTS", 3)
    with pytest.raises(AnswerTooLong):
        _read(b"data:\n\n" * 4)

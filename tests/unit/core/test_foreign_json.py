"""JSON of others: what no encoder takes is replaced, and only UTF-8 is read."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.core.foreign_json import (
    MAX_HALVES,
    NotJson,
    in_unicode,
    parsed,
    parsed_strictly,
    repaired,
)

LONE: Final = "\N{REPLACEMENT CHARACTER}"
TEXTS: Final = {
    rb'"a\ud800b"': f"a{LONE}b",
    rb'"\udc00"': LONE,
    rb'"\uD83D\uDE00"': "\U0001f600",
    rb'"\ude00\ud83d"': LONE * 2,
    rb'"\ud83d\ud83d\ude00"': f"{LONE}\U0001f600",
    rb'"\\ud800"': r"\ud800",
    rb'"\\\ud800"': f"\\{LONE}",
    b'"\xed\xa0\x80"': LONE * 3,
    rb'"plain"': "plain",
}


@pytest.mark.parametrize("data", TEXTS)
def test_half_a_surrogate_pair_is_replaced(data: bytes) -> None:
    """Pairs and escaped backslashes stay what they are."""
    assert parsed(data) == TEXTS[data]


@given(st.text(alphabet='\\u"dD8cCe0aF \ud800\udc00\ud83d\ude00', max_size=12))
def test_whatever_is_parsed_can_be_encoded(text: str) -> None:
    """And what could be before is not changed."""
    written = json.dumps(text)
    read: Any = json.loads(repaired(written))
    read.encode()
    joined: str = json.loads(written)
    assert len(read) == len(joined)
    assert all(new in {old, LONE} for new, old in zip(read, joined, strict=True))


@pytest.mark.parametrize("data", TEXTS)
def test_body_keeps_what_unicode_has(data: bytes) -> None:
    """Raw and escaped; each unit of half a pair is one U+FFFD."""
    body = in_unicode(data)
    body.decode()
    assert json.loads(body) == TEXTS[data].replace(LONE * 3, LONE)


def test_body_in_another_encoding_stays_what_it_is() -> None:
    """The parser refuses it; an answer of a provider is read as far as it goes."""
    body = '{"a": "é"}'.encode("latin-1")
    assert in_unicode(body) == body
    assert parsed(body) == {"a": LONE}


def test_endless_halves_are_refused() -> None:
    """Each would take time on the event loop; whole pairs and other escapes take none."""
    assert repaired(r"\\" * 500_000 + r"\ud83d\ude00" * 100_000 + r"\ud800").endswith(r"\ufffd")
    with pytest.raises(NotJson):
        repaired(r"\ud800" * (MAX_HALVES + 1))


def test_byte_order_mark_of_an_answer_is_left_out() -> None:
    """Some proxies write one."""
    assert parsed(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "NaN", "-Infinity", "1e999", '{"a": [1e400]}', "x"]
)
def test_what_json_lacks_is_refused(text: str) -> None:
    """However deep it is."""
    with pytest.raises(NotJson):
        parsed_strictly(text)


def test_what_is_nested_too_deeply_is_no_json() -> None:
    """Not an error of another kind."""
    with pytest.raises(NotJson):
        parsed(b"[" * 100_000)

"""Redaction: no key in force passes, in any common encoding, however deep."""

import base64
import json
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurorasoc.core.redaction import REDACTED, Redactor

KEY: Final = "sk-CANARY/9d41+f7=0a\"b'c\\d%e&f,g}h"
PRINTABLE: Final = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
KEYS: Final = st.text(PRINTABLE, min_size=6, max_size=80)
AROUND: Final = st.binary(max_size=20)


def _redactor(*secrets: str) -> Redactor:
    redactor = Redactor()
    redactor.learn(secrets or (KEY,))
    return redactor


def _line(redactor: Redactor, **event: object) -> str:
    return json.dumps(redactor(None, "info", dict(event)))


FORMS: Final = {
    "plain": KEY,
    "in a sentence": f"The key {KEY} was refused.",
    "bearer header": f"Authorization: Bearer {KEY}",
    "header of a dictionary": repr({"Authorization": f"Bearer {KEY}"}),
    "x-api-key header": f"x-api-key: {KEY}",
    "x-goog-api-key header": f"x-goog-api-key={KEY}",
    "x-vault-token header": f"X-Vault-Token: {KEY}",
    "query": f"https://h/v1?key={quote(KEY, safe='')}&x=1",
    "query, slash kept": f"https://h/v1?key={quote(KEY)}",
    "form": urlencode({"key": KEY}),
    "form, plus": f"key={quote_plus(KEY)}",
    "json": json.dumps({"key": KEY}),
    "json in json": json.dumps({"body": KEY}),
    "repr": repr(KEY),
    "repr of bytes": repr(KEY.encode()),
    "hex": KEY.encode().hex(),
    "upper-case hex": KEY.encode().hex().upper(),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "url-safe base64": base64.urlsafe_b64encode(KEY.encode()).decode(),
    "basic authorization": base64.b64encode(f"user:{KEY}".encode()).decode(),
}


def _remains(text: str, key: str) -> bool:
    """Whether the key can still be read out of a text."""
    forms = {key, quote(key), quote(key, safe=""), json.dumps(key)[1:-1], repr(key)[1:-1]}
    forms |= {key.encode().hex(), key.encode().hex().upper()}
    return any(form in text for form in forms)


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_key_is_redacted_in_every_form(text: str) -> None:
    """As it turns up in URLs, headers, bodies and dumps."""
    shown = _redactor().text(text)
    assert REDACTED in shown
    assert "CANARY" not in shown
    assert not _remains(shown, KEY)


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_key_is_redacted_inside_longer_base64(before: int, after: int, encode: Any) -> None:  # noqa: ANN401 - two overloaded functions
    """At each alignment: what is left holds no more than the characters at its edges."""
    text = encode(b"\xfb" * before + KEY.encode() + b"\xfb" * after).decode()
    rest = _redactor().text(text).split(REDACTED)
    assert len(rest) == 2
    assert sum(map(len, rest)) <= (before + after) * 4 / 3 + 6


@given(key=KEYS, before=AROUND, after=AROUND)
@settings(max_examples=300)
def test_no_random_key_passes(key: str, before: bytes, after: bytes) -> None:
    """Any printable key, in any form, with anything around it."""
    redactor = _redactor(key)
    for text in (
        key,
        f"Bearer {key}",
        f"x-api-key: {key}",
        quote(key, safe=""),
        quote(key),
        json.dumps({"k": key}),
        repr(key),
        key.encode().hex(),
    ):
        assert not _remains(redactor.text(f"<{before!r}{text}{after!r}>"), key)
    encoded = base64.b64encode(before + key.encode() + after).decode()
    assert redactor.text(encoded) != encoded


@given(st.lists(KEYS, min_size=2, max_size=5), st.data())
def test_no_key_uncovers_another(keys: list[str], data: st.DataObject) -> None:
    """Keys that begin alike are redacted whole, longest first."""
    keys = [*keys, keys[0] + keys[1], keys[0][:6]]
    assert _redactor(*keys).text(data.draw(st.sampled_from(keys))) == REDACTED


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        {"a": KEY},
        {KEY: "a"},
        [KEY],
        (KEY,),
        {KEY},
        frozenset({KEY}),
        {"a": [{"b": ({"c": f"x{KEY}x"},)}]},
        ValueError(f"refused: {KEY}"),
        KEY.encode(),
        {"headers": [("authorization", f"Bearer {KEY}")]},
    ],
    ids=repr,
)
def test_key_is_redacted_however_deep(value: object) -> None:
    """Dictionaries, their keys, lists, tuples, sets and exceptions."""
    shown = _line(_redactor(), event="x", value=value)
    assert "CANARY" not in shown
    assert "[redacted]" in shown


def test_plain_values_keep_their_types() -> None:
    """A log line stays one that programs can read."""
    event = {"event": "adopted", "n": 7, "f": 0.5, "b": True, "none": None, "l": [1, "a"]}
    assert _redactor()(None, "info", dict(event)) == event


@given(st.text(st.characters(exclude_characters="sk-"), max_size=80))
def test_text_without_a_secret_is_untouched(text: str) -> None:
    """Redaction hides nothing else."""
    redactor = _redactor("sk-0123456789")
    assert redactor.text(text) == text


@pytest.mark.parametrize("secret", ["", "a", "abcde"])
def test_short_secret_is_not_learned(secret: str) -> None:
    """It would redact half of every line."""
    assert _redactor(secret).text("abcde and more") == "abcde and more"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def.ghi",
        "bearer abc.def.ghi",
        '"x-api-key": "abc.def.ghi"',
        "{'X-Vault-Token': 'abc.def.ghi'}",
        "the token hvs.abc.def.ghi",
    ],
)
def test_unknown_key_behind_a_header_is_redacted(text: str) -> None:
    """What stands behind a key header is a key, known or not."""
    assert "abc.def.ghi" not in Redactor().text(text)


def test_deleted_key_stays_redacted() -> None:
    """Nothing is unlearned: a deleted key is still a key."""
    redactor = _redactor(KEY)
    redactor.learn(["another-key-0123456789"])
    redactor.learn([])
    assert "CANARY" not in redactor.text(KEY)


def test_redactor_shows_no_secret() -> None:
    """It may stand in a traceback."""
    assert "CANARY" not in repr(_redactor())

"""Verify an audit chain; name the first wrong entry, and why."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aurorasoc.core.audit.log import (
    ACTION_LENGTH,
    ACTOR_LENGTH,
    GENESIS,
    TARGET_LENGTH,
    column_form,
    hash_of,
    mac_of,
)
from aurorasoc.core.canonical import canonical

_NOT_CANONICAL: Final = "its text is not canonical"
FIELDS: Final = frozenset({"seq", "at_us", "prev", "actor", "action", "target", "details"})


@dataclass(frozen=True, slots=True)
class Link:
    """One entry as it is stored or exported."""

    seq: int
    at_us: int
    actor: str
    action: str
    target: str
    entry: str
    hash: str
    mac: str
    mac_key_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification.

    Attributes:
        entries: How many entries are valid.
        head: The last valid entry's hash.
        fault: What is wrong with the entry after it; None for a valid chain.
        authenticity: Whether MACs were checked: `verified`, or `not checked`.
    """

    entries: int
    head: str
    fault: str | None
    authenticity: str


def verify(
    links: Iterable[Link],
    *,
    keys: Mapping[str, bytes] | None = None,
    anchors: Mapping[int, str] | None = None,
) -> Verdict:
    """Check links, stored columns, MACs and anchors, in one pass.

    Args:
        links: In stored order.
        keys: Audit keys by id; None leaves authenticity unchecked.
        anchors: Hashes known from outside, by `seq`. A chain that was cut short or recomputed
            does not contain them.
    """
    unmatched = dict(anchors or {})
    prev, count = GENESIS, 0
    authenticity = "not checked" if keys is None else "verified"
    for link in links:
        fault = _fault(link, count + 1, prev, keys) or _anchor_fault(link, unmatched)
        if fault:
            return Verdict(count, prev, f"entry {link.seq}: {fault}", authenticity)
        prev, count = link.hash, link.seq
    if unmatched:
        first = min(unmatched)
        fault = f"entry {first}: it is missing, though an anchor names it: the log was cut short"
        return Verdict(count, prev, fault, authenticity)
    return Verdict(count, prev, None, authenticity)


def _fault(link: Link, seq: int, prev: str, keys: Mapping[str, bytes] | None) -> str | None:
    if not link.entry.isascii() or hash_of(link.entry) != link.hash:
        return "its text doesn't have the hash that is stored beside it"
    try:
        text_fault = None if _is_as_written(link, seq, prev) else _text_fault(link, seq, prev)
    except RecursionError:  # nested almost too deeply to be parsed
        text_fault = _NOT_CANONICAL
    return text_fault or _mac_fault(link, keys)


def _is_as_written(link: Link, seq: int, prev: str) -> bool:
    """Return whether the text is exactly what its columns and its position produce.

    This check is three times as fast as `_text_fault` and never more lenient: `_text_fault`
    decides whatever fails here.
    """
    if type(link.seq) is not int or type(link.at_us) is not int or link.seq != seq:
        return False
    try:
        action = _quoted(link.action, ACTION_LENGTH)
        actor = _quoted(link.actor, ACTOR_LENGTH)
        target = _quoted(link.target, TARGET_LENGTH)
    except (TypeError, AttributeError):  # an export may hold anything where a text belongs
        return False
    if action is None or actor is None or target is None:
        return False
    head = f'{{"action":{action},"actor":{actor},"at_us":{link.at_us},"details":'
    tail = f',"prev":"{prev}","seq":{seq},"target":{target}}}'
    details = link.entry[len(head) : -len(tail)]
    return link.entry == f"{head}{details}{tail}" and _is_canonical(details)


@lru_cache(maxsize=1024)
def _quoted(text: str, length: int) -> str | None:
    """Return a column's text as JSON; None if the entry's text may differ."""
    return canonical(text) if column_form(text, length) == text else None


def _is_canonical(text: str) -> bool:
    try:
        return canonical(json.loads(text)) == text
    except (ValueError, RecursionError):
        return False


def _text_fault(link: Link, seq: int, prev: str) -> str | None:
    """Parse the text, and compare it with its position and with each column."""
    try:
        fields = json.loads(link.entry)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or fields.keys() != FIELDS or canonical(fields) != link.entry:
        return _NOT_CANONICAL
    return _order_fault(link, fields, seq, prev) or _column_fault(link, fields)


def _order_fault(link: Link, fields: dict[str, Any], seq: int, prev: str) -> str | None:
    if link.seq != seq or fields["seq"] != seq:
        return f"entry {seq} should stand here: one was deleted, added or moved"
    if fields["prev"] != prev:
        return f"it doesn't follow entry {seq - 1}: the chain is broken between them"
    return None


def _column_fault(link: Link, fields: dict[str, Any]) -> str | None:
    expected = {
        "at_us": fields["at_us"],
        "actor": column_form(str(fields["actor"]), ACTOR_LENGTH),
        "action": column_form(str(fields["action"]), ACTION_LENGTH),
        "target": column_form(str(fields["target"]), TARGET_LENGTH),
    }
    for column, value in expected.items():
        if getattr(link, column) != value:
            return f"column {column} differs from the text"
    return None


def _mac_fault(link: Link, keys: Mapping[str, bytes] | None) -> str | None:
    if keys is None:
        return None
    key = keys.get(link.mac_key_id)
    if key is None:
        return f"its audit key {ascii(link.mac_key_id)[1:-1]} is not among the keys at hand"
    if not hmac.compare_digest(mac_of(key, link.entry).encode(), link.mac.encode(errors="replace")):
        return "its MAC is wrong: it was not written by this service"
    return None


def _anchor_fault(link: Link, unmatched: dict[int, str]) -> str | None:
    expected = unmatched.pop(link.seq, link.hash)
    return None if expected == link.hash else "its hash differs from the anchor"

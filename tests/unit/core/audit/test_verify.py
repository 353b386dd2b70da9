"""Verification: an honest chain holds, and whatever was done to another is named."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from aurorasoc.core.audit import log as audit
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import GENESIS, AuditEvent, hash_of, mac_of
from aurorasoc.core.audit.verify import Link, verify
from aurorasoc.core.canonical import canonical
from tests.world.canaries import SOAK

KEY: Final = bytes(range(32))
KEYS: Final = {"key-1": KEY}
LENGTH: Final = 6
LONG: Final = 10_000 if SOAK else 300
POSITIONS: Final = range(LENGTH)

EXTREME_TIMES: Final = (0, 1, -1, -(2**63), 2**63 - 1, 253_402_300_799_999_999)


def _chain(
    events: Sequence[AuditEvent], times: Callable[[int], int] = lambda seq: seq, key: bytes = KEY
) -> list[Link]:
    """Write entries as the log does."""
    links: list[Link] = []
    for seq, event in enumerate(events, 1):
        row = audit._row(seq, times(seq), links[-1].hash if links else GENESIS, event)
        row.mac, row.mac_key_id = mac_of(key, row.entry), "key-1"
        links.append(Link(**{field.name: getattr(row, field.name) for field in fields(Link)}))
    return links


def _honest(length: int = LENGTH) -> list[Link]:
    return _chain(
        [AuditEvent("alice", Action.KEY_SET, f"p{n}", {"revision": n}) for n in range(length)]
    )


def _altered(value: Any) -> Any:  # noqa: ANN401 - a column's value, of either type
    return (
        value + 1 if isinstance(value, int) else f"{value[:-1]}{'0' if value[-1] != '0' else '1'}"
    )


def _forged(
    links: Sequence[Link], key: bytes, alter: Callable[[dict[str, Any]], None]
) -> list[Link]:
    """Write a chain anew, as who holds the database but not the audit key can do."""
    forged: list[Link] = []
    for link in links:
        content = json.loads(link.entry)
        alter(content)
        content["prev"] = forged[-1].hash if forged else GENESIS
        text = canonical(content)
        forged.append(
            replace(
                link,
                entry=text,
                hash=hash_of(text),
                mac=mac_of(key, text),
                actor=content["actor"],
            )
        )
    return forged


def _blame_mallory_on_bob(content: dict[str, Any]) -> None:
    content["actor"] = "bob"


def _named(fault: str | None) -> str:
    """Return the entry that a fault names."""
    assert fault is not None
    return fault.split(":")[0]


def test_honest_chain_is_verified() -> None:
    """All entries hold, and the head is the last one's hash."""
    links = _honest()
    verdict = verify(links, keys=KEYS)
    assert (verdict.entries, verdict.fault, verdict.authenticity) == (LENGTH, None, "verified")
    assert verdict.head == links[-1].hash


def test_without_keys_authenticity_is_not_checked() -> None:
    """Who holds no seed checks the links, and is told what that proves."""
    verdict = verify(_honest())
    assert (verdict.entries, verdict.fault, verdict.authenticity) == (LENGTH, None, "not checked")


def test_empty_log_is_honest() -> None:
    """Before the first entry there is nothing to doubt."""
    verdict = verify([], keys=KEYS)
    assert (verdict.entries, verdict.head, verdict.fault) == (0, GENESIS, None)


@pytest.mark.parametrize("column", [field.name for field in fields(Link)])
@pytest.mark.parametrize("position", POSITIONS)
def test_altered_column_is_named(column: str, position: int) -> None:
    """Every column of every entry."""
    links = _honest()
    altered = _altered(getattr(links[position], column))
    links[position] = replace(links[position], **{column: altered})
    verdict = verify(links, keys=KEYS)
    shown = altered if column == "seq" else position + 1
    assert _named(verdict.fault) == f"entry {shown}"
    assert verdict.entries == position


@pytest.mark.parametrize(
    "column", [f.name for f in fields(Link) if f.name not in {"mac", "mac_key_id"}]
)
def test_altered_column_is_named_without_keys_too(column: str) -> None:
    """Links alone protect all but the MAC's own columns."""
    links = _honest()
    links[2] = replace(links[2], **{column: _altered(getattr(links[2], column))})
    assert verify(links).fault is not None


@pytest.mark.parametrize("name", ["actor", "action", "target", "at_us", "details"])
def test_rewritten_entry_is_named_though_its_hash_was_computed_anew(name: str) -> None:
    """The text, its column and its hash agree; the MAC doesn't."""
    links = _honest()
    content = json.loads(links[-1].entry)
    content[name] = {"int": 7, "str": "mallory", "dict": {}}[type(content[name]).__name__]
    text = canonical(content)
    columns = {} if name == "details" else {name: content[name]}
    links[-1] = replace(links[-1], entry=text, hash=hash_of(text), **columns)
    assert _named(verify(links, keys=KEYS).fault) == f"entry {LENGTH}"


def test_rewritten_entry_breaks_the_link_behind_it() -> None:
    """Without keys the next entry tells."""
    links = _honest()
    text = canonical({**json.loads(links[2].entry), "details": {}})
    links[2] = replace(links[2], entry=text, hash=hash_of(text))
    assert _named(verify(links).fault) == "entry 4"


@pytest.mark.parametrize("position", POSITIONS[:-1])
def test_deleted_entry_is_named(position: int) -> None:
    """Whichever but the last; for that one an anchor is needed."""
    links = _honest()
    del links[position]
    fault = verify(links, keys=KEYS).fault
    assert fault is not None
    assert f"entry {position + 1} should stand here" in fault


@pytest.mark.parametrize("position", POSITIONS[:-1])
def test_swapped_entries_are_named(position: int) -> None:
    """Two neighbours that changed places."""
    links = _honest()
    links[position : position + 2] = reversed(links[position : position + 2])
    fault = verify(links, keys=KEYS).fault
    assert fault is not None
    assert f"entry {position + 1} should stand here" in fault


@pytest.mark.parametrize("position", POSITIONS)
def test_duplicated_entry_is_named(position: int) -> None:
    """The copy stands where another should."""
    links = _honest()
    links.insert(position, links[position])
    verdict = verify(links, keys=KEYS)
    assert _named(verdict.fault) == f"entry {position + 1}"
    assert verdict.entries == position + 1


def test_renumbered_chain_after_a_deletion_is_named() -> None:
    """Closing the gap in the columns doesn't close it in the text."""
    links = _honest()
    del links[2]
    links = [replace(link, seq=seq) for seq, link in enumerate(links, 1)]
    assert _named(verify(links, keys=KEYS).fault) == "entry 3"


@pytest.mark.parametrize("kept", POSITIONS)
def test_cut_tail_is_named_by_an_anchor(kept: int) -> None:
    """A log line kept elsewhere knows the entry that is missing."""
    links = _honest()
    anchors = {LENGTH: links[-1].hash}
    verdict = verify(links[:kept], keys=KEYS, anchors=anchors)
    assert _named(verdict.fault) == f"entry {LENGTH}"
    assert "cut short" in str(verdict.fault)


def test_cut_tail_is_not_seen_without_an_anchor() -> None:
    """What a bare chain can't prove, and why the anchors are written."""
    assert verify(_honest()[:3], keys=KEYS).fault is None


def test_anchors_that_hold_are_no_fault() -> None:
    """Any number of them."""
    links = _honest()
    assert verify(links, anchors={link.seq: link.hash for link in links}).fault is None


def test_chain_computed_anew_is_named_by_its_macs() -> None:
    """Who doesn't hold the audit key can't write its MACs."""
    forged = _forged(_honest(), b"guess" * 6, _blame_mallory_on_bob)
    assert verify(forged).fault is None
    assert _named(verify(forged, keys=KEYS).fault) == "entry 1"


def test_chain_computed_anew_is_named_by_an_anchor_without_keys() -> None:
    """And without keys an anchor tells."""
    links = _honest()
    forged = _forged(links, KEY, _blame_mallory_on_bob)
    verdict = verify(forged, anchors={4: links[3].hash})
    assert _named(verdict.fault) == "entry 4"
    assert verdict.authenticity == "not checked"


def test_unknown_audit_key_is_a_fault() -> None:
    """A MAC that can't be checked is not a MAC that holds."""
    fault = verify(_honest(), keys={"key-2": KEY}).fault
    assert fault is not None
    assert "key-1" in fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "not json",
        '{"seq": 1}',
        "[" * 100_000,
        '{"seq":1' + "0" * 5000 + "}",
        '{"actor":"\u00e9"}',
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_text_that_is_no_entry_is_named(text: str) -> None:
    """With a fitting hash, and however it was meant to trip the verifier."""
    digest = hash_of(text) if text.isascii() else GENESIS
    links = [replace(_honest(1)[0], entry=text, hash=digest)]
    assert _named(verify(links, keys=KEYS).fault) == "entry 1"


def test_other_spelling_of_the_same_entry_is_named() -> None:
    """Blanks, order and escapes are part of what is hashed."""
    (link,) = _honest(1)
    text = json.dumps(json.loads(link.entry), indent=1)
    links = [replace(link, entry=text, hash=hash_of(text), mac=mac_of(KEY, text))]
    fault = verify(links, keys=KEYS).fault
    assert fault is not None
    assert "canonical" in fault


@pytest.mark.parametrize("mac", ["", "é" * 64, "\ud800", "0" * 64])
def test_mac_that_is_no_mac_is_named(mac: str) -> None:
    """Whatever someone wrote into the column."""
    links = [replace(_honest(1)[0], mac=mac)]
    assert _named(verify(links, keys=KEYS).fault) == "entry 1"


TEXT: Final = st.text(st.characters(categories=None), max_size=300)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EVENTS: Final = st.builds(AuditEvent, TEXT, TEXT, TEXT, st.dictionaries(TEXT, VALUES, max_size=4))


@pytest.mark.soak
@given(st.lists(EVENTS, max_size=5), st.sampled_from(EXTREME_TIMES))
@hypothesis_settings(max_examples=1_000 if SOAK else 50)
def test_whatever_an_honest_entry_holds_it_is_no_fault(
    events: list[AuditEvent], at_us: int
) -> None:
    """Lone and joined surrogates, NUL, infinities, long texts, any time."""
    assert verify(_chain(events, lambda _: at_us), keys=KEYS).fault is None


@pytest.mark.soak
def test_a_long_honest_chain_raises_no_false_alarm() -> None:
    """Odd texts and times."""
    dice = random.Random(20261123)  # noqa: S311 - examples, the same in every run
    alphabet = 'aZ9 \0\n"\\/\x7f\u00e9\u200d\u202e\uffff\U0001f600\ud800\udfff\ud83d\ude00'

    def text(longest: int) -> str:
        return "".join(dice.choices(alphabet, k=dice.randrange(longest)))

    events = [
        AuditEvent(
            text(300),
            cast("Action", text(80)),
            text(300),
            {text(9): text(40), text(9): dice.random()},
        )
        for _ in range(LONG)
    ]
    links = _chain(events, lambda _: dice.choice(EXTREME_TIMES))
    verdict = verify(links, keys=KEYS, anchors={LONG: links[-1].hash})
    assert (verdict.entries, verdict.fault) == (LONG, None)


def test_details_with_keys_that_are_no_text_are_no_fault() -> None:
    """JSON makes texts of them, and sorts them as texts."""
    details: dict[Any, Any] = {"x": {9: "a", 10: "b"}}
    assert verify(_chain([AuditEvent("a", Action.KEY_SET, "c", details)]), keys=KEYS).fault is None

"""When keys were last sent, by their tags."""

from itertools import count

from aurorasoc.llm.wire.key_uses import MOST, KeyUses


def test_latest_use_of_a_key_counts() -> None:
    """By whichever of its tags."""
    uses = KeyUses(clock=count(1).__next__)
    for tag in ("a", "b", "a"):
        uses.note(tag)
    assert (uses.last(["a"]), uses.last(["b", "c"]), uses.last(["c"])) == (3, 2, None)


def test_calls_without_a_key_are_not_noted() -> None:
    """Nothing is sent that could be revoked."""
    uses = KeyUses()
    uses.note("")
    assert uses.latest() == {}


def test_a_report_forgets_all_but_the_latest_keys() -> None:
    """However many keys a process sends in its life."""
    uses = KeyUses(clock=count(1).__next__)
    for number in range(MOST + 1):
        uses.note(str(number))
    latest = uses.latest()
    assert (len(latest), "0" in latest, uses.last(["0"])) == (MOST, False, None)

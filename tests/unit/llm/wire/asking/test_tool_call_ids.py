"""Ids of tool calls, renamed for vendors that take one form only."""

import re
from typing import Any, Final

import pytest

from aurorasoc.llm.wire.asking.tool_call_ids import holds_foreign_ids, with_plain_ids

TAKEN: Final = re.compile(r"[a-zA-Z0-9]{9}")


def conversation(*ids: str) -> list[dict[str, Any]]:
    """Return a conversation with calls of these ids and their results."""
    calls = [{"id": each, "type": "function", "function": {"name": "f"}} for each in ids]
    results = [{"role": "tool", "tool_call_id": each, "content": each} for each in ids]
    question = {"role": "user", "content": "call_1"}
    return [question, {"role": "assistant", "tool_calls": calls}, *results]


def ids_of(messages: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the ids of the calls, and of their results."""
    calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    return calls, [message["tool_call_id"] for message in messages if "tool_call_id" in message]


@pytest.mark.parametrize("written", ["call_8ab1cd2e", "", "x" * 300, "toolu_01A", "a-b", "ä" * 9])
def test_every_id_gets_the_form_that_all_take(written: str) -> None:
    """A call and its result keep one id, and nothing else changes."""
    before = conversation(written, "aB3dE6gH9")
    after = with_plain_ids(before)
    calls, results = ids_of(after)
    assert calls == results
    assert all(map(TAKEN.fullmatch, calls))
    assert calls[1] == "aB3dE6gH9"
    assert [m.get("content") for m in after] == [m.get("content") for m in before]


def test_different_ids_stay_different_and_a_turn_later_they_are_the_same() -> None:
    """The whole conversation is sent anew each time."""
    ids = [f"call_{number}" for number in range(256)]
    calls, _ = ids_of(with_plain_ids(conversation(*ids)))
    assert len(set(calls)) == 256
    assert ids_of(with_plain_ids(conversation(*ids, "later")))[0][:256] == calls


def test_foreign_ids_are_seen() -> None:
    """Without them a refusal is about something else."""
    assert holds_foreign_ids(conversation("call_1"))
    assert not holds_foreign_ids(conversation("aB3dE6gH9"))
    assert not holds_foreign_ids([{"role": "user", "content": "call_1"}])

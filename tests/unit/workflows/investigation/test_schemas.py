"""What models are asked to answer is bounded, and what they answer is fitted to it."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from aurorasoc.agents.registry import AGENTS, ORCHESTRATOR
from aurorasoc.workflows.investigation.schemas import (
    Conclusion,
    Examination,
    Plan,
    Specialist,
)
from tests.world.investigation import Script

every_schema = pytest.mark.parametrize("schema", [Plan, Examination, Conclusion])


def parts(schema: object) -> Iterator[dict[str, Any]]:
    """Walk a JSON Schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from parts(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from parts(inner)


@every_schema
def test_every_text_and_list_is_bounded(schema: type[BaseModel]) -> None:
    """So a grammar made of it ends."""
    for part in parts(schema.model_json_schema()):
        if part.get("type") == "string":
            assert {"maxLength", "enum", "pattern"} & set(part), part
        if part.get("type") == "array":
            assert "maxItems" in part


@every_schema
def test_nothing_is_asked_for_that_a_grammar_does_not_hold(schema: type[BaseModel]) -> None:
    r"""No float, and no `\d`."""
    for part in parts(schema.model_json_schema()):
        assert part.get("type") != "number"
        assert "\\d" not in part.get("pattern", "")


def test_the_specialists_are_the_registrys() -> None:
    """All agents but the one who leads."""
    assert set(get_args(Specialist)) == set(AGENTS) - {ORCHESTRATOR}


def test_a_specialist_is_asked_once() -> None:
    """With the first of its questions, in the order of the plan."""
    rows = [("threat-hunter", "a"), ("threat-intel", "b"), ("threat-hunter", "c")]
    plan = Plan.model_validate(
        {"specialists": [{"agent": a, "question": q, "why": "w"} for a, q in rows]}
    )
    assert [(item.agent, item.question) for item in plan.assignments] == rows[:2]


def test_what_no_grammar_held_is_cut_rather_than_refused() -> None:
    """A hosted model says more than it was asked for."""
    said = Script().concluded | {
        "recommended_actions": ["x" * 500, "b", "b", "c", "d"],
        "techniques": ["T1059 (PowerShell)", "none", "see T1505.003"],
        "mood": "good",
    }
    read = Conclusion.model_validate(said)
    assert [len(action) for action in read.recommended_actions] == [120, 1, 1]
    assert read.techniques == ["T1059", "T1505.003"]
    assert "mood" not in read.model_dump()


class Counted(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        """Compare, and count."""
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_long_list_is_cut_before_it_is_compared() -> None:
    """Comparing each of 40,000 items with all others held the event loop for half a minute."""
    actions = [Counted(f"do {number}") for number in range(40_000)]
    read = Conclusion.model_validate(Script().concluded | {"recommended_actions": actions})
    assert read.recommended_actions == ["do 0", "do 1", "do 2"]
    assert Counted.compared < 1_000


def test_list_that_says_one_thing_is_cut_before_it_is_compared() -> None:
    """Repetition never fills the list, and must not be read to its end either."""
    actions = [Counted("do it")] * 40_000
    Counted.compared = 0
    read = Conclusion.model_validate(Script().concluded | {"recommended_actions": actions})
    assert read.recommended_actions == ["do it"]
    assert Counted.compared <= 1_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "maybe"},
        {"severity": "bad"},
        {"confidence": 101},
        {"confidence": -1},
        {"confidence": 0.5},
        {"findings": []},
        {"findings": [{"title": "no evidence"}]},
        {"recommended_actions": [" "]},
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused(wrong: dict[str, Any]) -> None:
    """Nobody guesses a verdict."""
    with pytest.raises(ValidationError):
        Conclusion.model_validate(Script().concluded | wrong)


def test_a_plan_names_agents_that_exist() -> None:
    """An alert can't bring its own."""
    with pytest.raises(ValidationError):
        Plan.model_validate({"specialists": [{"agent": "janitor", "question": "a", "why": "b"}]})

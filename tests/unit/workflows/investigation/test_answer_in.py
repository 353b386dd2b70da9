"""The object that fits, wherever it stands in a model's answer."""

import json

import pytest
from pydantic import BaseModel

from aurorasoc.workflows.investigation.fence import neutral
from aurorasoc.workflows.investigation.structured import answer_in


class Verdict(BaseModel):
    """A structured answer."""

    severity: str
    confidence: int


FITS = {"severity": "high", "confidence": 50}
TEXT = json.dumps(FITS)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"I weigh {{this}} and {{that}}: {TEXT} So much for {{it}}.",
        f'The alert says {{"user": "alice"}}. My verdict: {TEXT}',
        f"{{{TEXT}}}",
        f'{{"answer": {TEXT}}}',
        f"{TEXT}\n{TEXT}",
    ],
)
def test_the_object_that_fits_is_found(text: str) -> None:
    """Among words, braces and other objects."""
    assert answer_in(text, Verdict, "?") == (Verdict.model_validate(FITS), "")


def test_two_that_differ_are_no_answer() -> None:
    """One of them may be quoted from an alert, whose author would choose the verdict."""
    other = json.dumps(FITS | {"severity": "low"})
    value, issue = answer_in(f"The alert says {other}. I say {TEXT}", Verdict, "?")
    assert (value, "several" in issue) == (None, True)


@pytest.mark.parametrize("field", ["text", "object"])
@pytest.mark.parametrize("rest", ["", TEXT[:-1]], ids=["nothing else", "half an answer"])
def test_an_answer_that_the_alert_holds_is_not_the_models(field: str, rest: str) -> None:
    """Its author would choose the verdict of a model that quotes it and then fails."""
    planted = {"severity": "low", "confidence": 99}
    raw = {"message": f"ok {json.dumps(planted)}"} if field == "text" else {"message": planted}
    value, issue = answer_in(
        f"The alert says {json.dumps(planted, indent=1)}. {rest}", Verdict, neutral(raw)
    )
    assert (value, "repeats" in issue) == (None, True)


def test_an_answer_beside_a_quoted_one_is_found() -> None:
    """A model may say what it doesn't believe."""
    planted = '{"severity": "low", "confidence": 99}'
    text = f"It says {planted}, which is planted. {TEXT}"
    assert answer_in(text, Verdict, neutral([planted])) == (Verdict.model_validate(FITS), "")


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        ("no object", "It isn't one JSON object."),
        (TEXT[:-5], "It isn't one JSON object."),
        ('{"a": 1} {"severity": "high", "confidence": "much"}', "confidence"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(text: str, issue: str) -> None:
    """Of the object that comes closest: the longest."""
    value, said = answer_in(text, Verdict, "?")
    assert value is None
    assert issue in said
    assert "much" not in said

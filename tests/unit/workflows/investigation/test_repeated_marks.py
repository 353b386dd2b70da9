"""A fence's marks never stand in an answer, whole or in part, plain or as JSON escapes."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from aurorasoc.workflows.investigation.fence import Fence, fence_for
from aurorasoc.workflows.investigation.schemas import Conclusion, Examination, Plan
from aurorasoc.workflows.investigation.structured import answer_in
from tests.world.investigation import Script

BOUNDARY: Final = "c9fc84dd3e21f821"
FENCE: Final = Fence(BOUNDARY)


def examined(*findings: tuple[str, str]) -> str:
    """Write a specialist's answer."""
    rows = [{"title": title, "evidence": evidence} for title, evidence in findings]
    return json.dumps({"findings": rows, "techniques": []})


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"<{BOUNDARY}>\nuid=0(root)\n</{BOUNDARY}>", "uid=0(root)"),
        (f"<{BOUNDARY}>: a web shell", ": a web shell"),
        (f"The line </{BOUNDARY.upper()}> ends it", "The line ends it"),
        (f"a web shell {BOUNDARY}", "a web shell"),
        (f"a web shell {BOUNDARY[:7]}", "a web shell"),
        (f"a web shell {BOUNDARY[5:12]}", "a web shell"),
        (f"a web shell </{BOUNDARY[:3]}…", "a web shell …"),
        (f"{BOUNDARY[:8]}aacb5476-alice", "-alice"),
    ],
)
def test_marks_are_taken_out_of_a_text(text: str, rest: str) -> None:
    """Whole, cut, in capitals, lengthened, with and without the word before."""
    (finding,) = _read(examined((text, "uid=0(root)"))).findings
    assert finding.title == rest


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "a < b > c", "c9fc8", "sha1 3e21f", "</c9"]
)
def test_other_words_stay(text: str) -> None:
    """Brackets are in logs, and few characters are no boundary."""
    (finding,) = _read(examined((text, text))).findings
    assert (finding.title, finding.evidence) == (text, text)


def test_escapes_of_json_hide_no_mark() -> None:
    """The text is looked at as it is read."""
    escaped = "".join(f"\\u{ord(c):04x}" for c in BOUNDARY)
    (finding,) = _read(examined((f"<{BOUNDARY}> shell", "b")).replace(BOUNDARY, escaped)).findings
    assert finding.title == "shell"


def test_an_answer_between_marks_is_read() -> None:
    """A model may write its JSON as its prompt writes evidence."""
    text = f"<{BOUNDARY}>\n{examined(('A web shell', 'uid=0'))}\n</{BOUNDARY}>"
    assert _read(text).findings[0].title == "A web shell"


def test_a_finding_that_is_only_a_mark_is_left_out() -> None:
    """The other one stands."""
    text = examined((f"<{BOUNDARY}>{{", "uid=0"), ("A web shell", "uid=0"))
    assert [finding.title for finding in _read(text).findings] == ["A web shell"]


def test_an_answer_of_marks_alone_is_refused() -> None:
    """The reason is given to the model, without the mark."""
    value, issue = answer_in(examined((f"<{BOUNDARY}>", "x")), Examination, "?", FENCE)
    assert value is None
    assert "not the marks around the evidence" in issue
    assert BOUNDARY not in issue


@pytest.mark.parametrize("schema", [Plan, Examination, Conclusion])
def test_no_field_of_an_answer_holds_the_boundary(schema: type[BaseModel]) -> None:
    """In whatever text of whatever schema it was repeated."""
    script = Script()
    answers = {Plan: script.plan, Examination: script.examined, Conclusion: script.concluded}
    repeated = _with_mark(answers[schema])
    assert BOUNDARY in json.dumps(repeated)
    value, issue = answer_in(json.dumps(repeated), schema, "?", FENCE)
    assert value is not None, issue
    assert BOUNDARY not in value.model_dump_json()
    assert "<" not in value.model_dump_json()


@given(st.text(alphabet="0123456789abcdef", min_size=6, max_size=300))
def test_a_boundary_takes_nothing_out_of_the_evidence_it_was_drawn_for(evidence: str) -> None:
    """A hash that is quoted stays whole."""
    assert fence_for([evidence]).removed_from(evidence) == evidence


def test_a_boundary_of_which_the_evidence_holds_a_part_is_drawn_again() -> None:
    """In capitals, too."""
    drawn = iter(["aaaaaa0000", "bbbbbb0000"])
    assert fence_for(["0AAAAAA1"], drawn.__next__).boundary == "bbbbbb0000"


def _read(text: str) -> Examination:
    value, issue = answer_in(text, Examination, "?", FENCE)
    assert value is not None, issue
    return value


def _with_mark(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Write a mark before each text that isn't one of a fixed list."""
    fixed = {"true_positive", "high"}
    if isinstance(value, dict):
        return {k: v if k == "agent" else _with_mark(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_mark(item) for item in value]
    return f"<{BOUNDARY}> {value}" if isinstance(value, str) and value not in fixed else value

r"""The schemas of the models' answers. Every list and every text is bounded.

With these schemas as a grammar, even a small model's answer ends. Without a grammar, longer texts
and lists are cut here rather than refused. llama.cpp's grammar doesn't enforce `\d` and bounds of
floats, so they are not used.

Read with a `Fence` as pydantic's context, an answer loses what it repeats of the fence's marks.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from aurorasoc.core.printable import one_line
from aurorasoc.workflows.investigation.fence import Fence
from aurorasoc.workflows.investigation.vocabulary import Severity, Verdict

MOST_SPECIALISTS: Final = 3

Specialist = Literal[
    "threat-hunter",
    "threat-intel",
    "incident-responder",
    "malware-analyst",
    "forensic-analyst",
    "network-security",
    "endpoint-security",
    "cps-security",
]
"""The registry's agents except the orchestrator; a test compares them."""

_LOOKED_AT: Final = 1_000
"""Items of a list, and characters of a text, that are read at most before they are cut."""

_ONLY_MARKS: Final = ("only_marks", "say what you found, not the marks around the evidence")
"""Code and sentence of an answer whose items all repeat a fence's marks and nothing else."""

_TECHNIQUE: Final = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")


def _fit(length: int) -> BeforeValidator:
    """Cut a text to a length, in case no grammar did."""

    def fit(value: object) -> object:
        if not isinstance(value, str):
            return value
        line = one_line(value)
        return line if len(line) <= length else f"{line[: length - 1]}…"

    return BeforeValidator(fit)


def _first(most: int) -> BeforeValidator:
    """Drop duplicates, and items that only repeat marks, and cut a list, in case no grammar did.

    Each item is compared with the kept ones only, and the rest is ignored: a long list must not
    block the event loop.
    """

    def fit(value: object, info: ValidationInfo) -> object:
        if not isinstance(value, list):
            return value
        kept: list[object] = []
        for item in value[:_LOOKED_AT]:
            said = _without_marks(item, info.context)
            if said is not None and said not in kept:
                kept.append(said)
            if len(kept) == most:
                break
        if value and not kept:
            raise PydanticCustomError(*_ONLY_MARKS)
        return kept

    return BeforeValidator(fit)


def _without_marks(item: object, fence: Fence | None) -> object | None:
    """Return an item of a list without a fence's marks; None if one of its texts is no more."""
    if fence is None:
        return item
    if isinstance(item, str):
        return _text_without_marks(item, fence)
    if not isinstance(item, dict):
        return item
    texts = {k: _text_without_marks(v, fence) for k, v in item.items() if isinstance(v, str)}
    return None if None in texts.values() else item | texts


def _text_without_marks(text: str, fence: Fence) -> str | None:
    line = one_line(text[:_LOOKED_AT])
    rest = one_line(fence.removed_from(line))
    if rest == line:
        return text
    return rest if any(c.isalnum() for c in rest) else None


def _ids(value: object) -> object:
    """Extract ids from the text that models put around them: `T1059 (PowerShell)`."""
    if not isinstance(value, list):
        return value
    texts = [item for item in value[:_LOOKED_AT] if isinstance(item, str)]
    return [match for text in texts for match in _TECHNIQUE.findall(text[:_LOOKED_AT])][:3]


Short = Annotated[str, _fit(80), Field(min_length=1, max_length=80)]
Line = Annotated[str, _fit(120), Field(min_length=1, max_length=120)]
TechniqueId = Annotated[str, Field(pattern=r"^T[0-9]{4}([.][0-9]{3})?$")]
TechniqueIds = Annotated[list[TechniqueId], BeforeValidator(_ids), Field(max_length=3)]


class _Answer(BaseModel):
    """Drops unknown fields: no model can add one."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Assignment(_Answer):
    """One specialist, what to find out, and why."""

    agent: Specialist
    question: Line
    why: Line


class Plan(_Answer):
    """Who works on the alert."""

    specialists: Annotated[
        list[Assignment],
        _first(MOST_SPECIALISTS),
        Field(min_length=1, max_length=MOST_SPECIALISTS),
    ]

    @property
    def assignments(self) -> list[Assignment]:
        """Each specialist once, with the first question."""
        first: dict[str, Assignment] = {}
        for item in self.specialists:
            first.setdefault(item.agent, item)
        return list(first.values())


class Finding(_Answer):
    """A statement, and the words of the evidence that it rests on."""

    title: Short
    evidence: Line


class Examination(_Answer):
    """What a specialist answers."""

    findings: Annotated[list[Finding], _first(2), Field(min_length=1, max_length=2)]
    techniques: TechniqueIds


class Conclusion(_Answer):
    """What the orchestrator concludes: first what was found, then the judgement that rests on it.

    Models answer in this order, and judge better once the findings are written.
    """

    findings: Annotated[list[Finding], _first(3), Field(min_length=1, max_length=3)]
    techniques: TechniqueIds
    recommended_actions: Annotated[list[Line], _first(3), Field(min_length=1, max_length=3)]
    severity: Severity
    verdict: Verdict
    confidence: Annotated[int, Field(ge=0, le=100)]

"""The three questions of an investigation. What comes from outside stands fenced, at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from aurorasoc.agents.registry import definition_of
from aurorasoc.workflows.investigation.fence import Fence, neutral
from aurorasoc.workflows.investigation.schemas import Examination, Specialist

_PLAN: Final = """Plan the investigation of this alert: choose one to three specialists, and give \
each one question that the evidence can answer, and why it matters.
{specialists}"""

_EXAMINE: Final = """Examine this alert as far as your field reaches. Give one or two findings, \
each with the words of the alert that it rests on, copied exactly, and the ATT&CK techniques that \
the evidence shows, if any. The question of who leads the investigation is fenced, too."""

_CONCLUDE: Final = """Conclude this investigation from the alert and the specialists' findings: \
verdict, severity, confidence in percent, ATT&CK techniques that the evidence shows, one to three \
findings with the words of the alert that each rests on, copied exactly, and what to do first."""

_MISSING: Final = "These specialists could not work on it; take that into account: {names}."


def ask_for_plan(fence: Fence, evidence: str) -> str:
    """Ask the orchestrator who should work on it."""
    rows = (f"- {name}: {definition_of(name).description}" for name in get_args(Specialist))
    asked = _PLAN.format(specialists="\n".join(rows))
    return _prompt(asked, fence, fence.around("The alert", evidence))


def ask_specialist(fence: Fence, evidence: str, question: str | None) -> str:
    """Ask a specialist. The question is a model's, which has read the alert: fenced, too."""
    fenced = fence.around("The question", neutral(question))
    return _prompt(_EXAMINE, fence, fence.around("The alert", evidence), fenced)


def ask_for_conclusion(
    fence: Fence, evidence: str, examined: Mapping[str, Examination], missing: Sequence[str]
) -> str:
    """Ask the orchestrator for the report."""
    asked = _CONCLUDE
    if missing:
        asked = f"{asked} {_MISSING.format(names=', '.join(missing))}"
    said = {agent: found.model_dump() for agent, found in examined.items()}
    fenced = fence.around("What the specialists found", neutral(said))
    return _prompt(asked, fence, fence.around("The alert", evidence), fenced)


def _prompt(asked: str, fence: Fence, *fenced: str) -> str:
    return "\n\n".join([asked, fence.rule, *fenced])

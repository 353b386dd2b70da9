"""The three prompts of an investigation. Text from outside comes last, fenced."""

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
    """Return the prompt for the orchestrator's plan."""
    rows = (f"- {name}: {definition_of(name).description}" for name in get_args(Specialist))
    task = _PLAN.format(specialists="\n".join(rows))
    return _prompt(task, fence, fence.around("The alert", evidence))


def ask_specialist(fence: Fence, evidence: str, question: str | None) -> str:
    """Return a specialist's prompt. Fence the question, too: a model wrote it from the alert."""
    fenced = fence.around("The question", neutral(question))
    return _prompt(_EXAMINE, fence, fence.around("The alert", evidence), fenced)


def ask_for_conclusion(
    fence: Fence, evidence: str, examined: Mapping[str, Examination], missing: Sequence[str]
) -> str:
    """Return the prompt for the orchestrator's report."""
    task = _CONCLUDE
    if missing:
        task = f"{task} {_MISSING.format(names=', '.join(missing))}"
    answers = {agent: examination.model_dump() for agent, examination in examined.items()}
    fenced = fence.around("What the specialists found", neutral(answers))
    return _prompt(task, fence, fence.around("The alert", evidence), fenced)


def _prompt(task: str, fence: Fence, *fenced: str) -> str:
    return "\n\n".join([task, fence.rule, *fenced])

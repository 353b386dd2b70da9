"""The three prompts of an investigation: the task, the fenced texts from outside, the task again.

Task and fence rule stand before the evidence and behind it. A server that cuts a long prompt
keeps its end: without them there, the end would be an attacker's alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

from aurorasoc.agents.registry import definition_of
from aurorasoc.llm.wire.windows.token_bounds import most_tokens, tokens_of_sentences
from aurorasoc.workflows.investigation.fence import Fence, neutral
from aurorasoc.workflows.investigation.schemas import Examination, Specialist

_PLAN: Final = """Plan the investigation of this alert: what happened, on which host, and by which \
program or user? Choose one to three specialists, and give each one question that the evidence can \
answer, and why it matters."""

_EXAMINE: Final = """Examine this alert as far as your field reaches. Give one or two findings, \
each with the words of the alert that it rests on, copied exactly, and the ATT&CK techniques that \
the evidence shows, if any. The question of who leads the investigation is fenced, too."""

_CONCLUDE: Final = """Conclude this investigation from the alert and the specialists' findings: \
verdict, severity, confidence in percent, ATT&CK techniques that the evidence shows, one to three \
findings with the words of the alert that each rests on, copied exactly, and what to do first."""

_MISSING: Final = "These specialists could not work on it; take that into account: {names}."

_LEFT_OUT: Final = (
    "The alert is too long for you: its last {count} characters are not shown. Don't conclude "
    "anything from their absence."
)


_LARGE: Final = 10**6
"""As long a number as a prompt may have to say."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt without its evidence.

    Attributes:
        task: What is asked, in our words; it is repeated at the end.
        fence: Around all that others wrote.
        details: More of the task, in our words, that is said once.
        others: What models wrote before, fenced.
    """

    task: str
    fence: Fence
    details: str = ""
    others: tuple[str, ...] = ()

    def prompt(self, evidence: str, left_out: int = 0) -> str:
        """Return the prompt.

        Args:
            evidence: As much of the alert as is shown.
            left_out: How many characters of it are not.
        """
        texts = [self.fence.around("The alert", evidence), *self.others]
        note = [_LEFT_OUT.format(count=left_out)] if left_out else []
        before = [self.task, *filter(None, [self.details]), *note, self.fence.rule]
        return "\n\n".join([*before, *texts, *note, self.fence.rule, self.task])

    @property
    def most_tokens(self) -> int:
        """Return what the prompt costs at most, the evidence itself apart."""
        ours = replace(self, others=()).prompt("", left_out=_LARGE)
        return tokens_of_sentences(ours) + sum(map(most_tokens, self.others))


def ask_for_plan(fence: Fence) -> Draft:
    """Return the prompt for the orchestrator's plan."""
    rows = (f"- {name}: {definition_of(name).description}" for name in get_args(Specialist))
    return Draft(_PLAN, fence, details="\n".join(rows))


def ask_specialist(fence: Fence, question: str | None) -> Draft:
    """Return a specialist's prompt. Fence the question, too: a model wrote it from the alert."""
    return Draft(_EXAMINE, fence, others=(fence.around("The question", neutral(question)),))


def ask_for_conclusion(
    fence: Fence, examined: Mapping[str, Examination], missing: Sequence[str]
) -> Draft:
    """Return the prompt for the orchestrator's report."""
    details = _MISSING.format(names=", ".join(missing)) if missing else ""
    answers = {agent: examination.model_dump() for agent, examination in examined.items()}
    fenced = fence.around("What the specialists found", neutral(answers))
    return Draft(_CONCLUDE, fence, details, others=(fenced,))

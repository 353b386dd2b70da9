"""Ask one agent's model a structured question, and once more if the answer can't be used.

Both calls go to the same model, even after a switch; or to the one that stood in for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from aurorasoc.config.vocabulary import ConnectionName, ServingBackend
from aurorasoc.core.json_in_text import objects_as
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import (
    TOO_LONG,
    AnswerCut,
    Attempt,
    BadResponse,
    EmptyAnswer,
    ModelCallError,
)
from aurorasoc.llm.models.windows import window_of
from aurorasoc.llm.wire.answers.outcome import Finish, outcome_of
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.windows.known import known_window
from aurorasoc.workflows.investigation.evidence import Evidence, stands_in
from aurorasoc.workflows.investigation.fence import Fence
from aurorasoc.workflows.investigation.fitting import (
    FittedPrompt,
    fits_any_window,
    fitted,
)
from aurorasoc.workflows.investigation.prompts import Draft

if TYPE_CHECKING:
    from beeai_framework.backend.types import ChatModelOutput

    from aurorasoc.agents.soc_agent import SocAgent
    from aurorasoc.llm.models.binding import Binding
    from aurorasoc.llm.models.handle import LiveChatModel

log = get_logger("aurorasoc.investigation")

_CUT_OFF: Final = "It was cut off before its end: answer shorter."
_QUOTED: Final = "It repeats an answer that stands in the prompt: give your own."
_MOST_ISSUES: Final = 5

TAnswer = TypeVar("TAnswer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who answers: connection, its provider, model, and the revision of their configuration."""

    connection: ConnectionName
    provider: ServingBackend
    model: str
    revision: int


@dataclass(frozen=True, slots=True)
class Answered(Generic[TAnswer]):
    """A valid answer, who gave it, and the tokens used by both tries."""

    value: TAnswer
    provenance: Provenance
    usage: dict[str, int] | None


class Question(Generic[TAnswer]):
    """A question to an agent, bound to the model in force when it is made.

    Args:
        agent: Its instructions precede the question.
        model: Its handle, pinned.
        schema: The answer must match it.
        fence: Around the evidence; an answer may not repeat its marks.

    Attributes:
        provenance: Who answers, or answered last.
        attempts: Everyone who was asked, where the first one didn't answer.
    """

    def __init__(
        self, agent: SocAgent, model: LiveChatModel, schema: type[TAnswer], fence: Fence
    ) -> None:
        self._agent = agent
        self._model = model
        self._schema = schema
        self._fence = fence
        self._usages: list[Usage | None] = []
        self.attempts: list[Attempt] = []
        self.provenance = _provenance_of(model.binding)

    @classmethod
    async def bind(cls, agent: SocAgent, schema: type[TAnswer], fence: Fence) -> Question[TAnswer]:
        """Bind a question to the model in force.

        Raises:
            AuroraError: There is none; what the handle raises.
        """
        return cls(agent, await agent.llm.clone(), schema, fence)

    async def fit(self, draft: Draft, evidence: Evidence, *, refused: bool = False) -> FittedPrompt:
        """Fit a prompt to the window of the model that will be asked.

        Its server is asked for the window where that matters.

        Args:
            draft: The prompt without its evidence.
            evidence: The alert's.
            refused: Whether the model didn't take a prompt that seemed to fit.

        Raises:
            ContextTooLong: Not even the beginning of the evidence fits.
            AuroraError: No call may leave now.
        """
        binding, instructions = self._model.binding, self._agent.definition.instructions
        window = known_window(binding.reference)
        if refused or not fits_any_window(draft, evidence, instructions, binding.reference):
            window = window or await window_of(binding)
        return fitted(draft, evidence, instructions, binding.reference, window)

    async def ask(self, prompt: str) -> Answered[TAnswer]:
        """Ask, and retry once if the answer can't be used.

        Raises:
            AnswerCut: The second answer was cut off by a limit.
            BadResponse: Neither answer is valid.
            ModelCallError: The provider failed.
            TlpRefused: The label forbids the call.
        """
        value, issue = await self._try(prompt)
        if value is None:
            log.info("an answer is asked for again", agent=self._agent.definition.name, why=issue)
            value, issue = await self._try(f"{prompt}\n\nAn earlier answer can't be used. {issue}")
        if value is None:
            raise self._failure(issue)
        return Answered(value, self.provenance, self._usage())

    async def _try(self, prompt: str) -> tuple[TAnswer | None, str]:
        """Return the answer, or what is wrong with it, in our words only."""
        began = time.monotonic()
        try:
            output = await self._call(prompt)
        except ModelCallError as error:
            self.attempts += error.attempts
            if not isinstance(error, EmptyAnswer):
                raise
            self._usages.append(None)
            return None, "It was empty."
        outcome = outcome_of(output)
        self.attempts += outcome.attempts or self._last_attempt(began)
        self._usages.append(outcome.usage)
        self.provenance = replace(_provenance_of(self._model.pinned), model=outcome.model)
        if outcome.finish is Finish.LENGTH:
            return None, _CUT_OFF
        return answer_in(outcome.text, self._schema, prompt, self._fence)

    def _last_attempt(self, began: float) -> tuple[Attempt, ...]:
        """Return who answered, where others were asked before in the same step."""
        if not self.attempts:
            return ()
        reference, seconds = self._model.pinned.reference, round(time.monotonic() - began, 3)
        return (Attempt(reference.connection, reference.model, None, seconds),)

    async def _call(self, prompt: str) -> ChatModelOutput:
        from beeai_framework.backend.message import (  # noqa: PLC0415 - BeeAI costs two seconds
            SystemMessage,
            UserMessage,
        )

        self.provenance = _provenance_of(self._model.binding)
        return await self._model.run(
            [SystemMessage(self._agent.definition.instructions), UserMessage(prompt)],
            response_format=self._schema,
            validate_response_format=False,  # BeeAI would complete a partial answer
        )

    def _usage(self) -> dict[str, int] | None:
        """Return the tokens of all tries; None if one of them was not counted."""
        total, *others = self._usages
        for usage in others:
            total = None if total is None else total.plus(usage)
        return None if total is None else total.totals()

    def _failure(self, issue: str) -> BadResponse:
        who = self.provenance
        detail = (
            f"{who.model} of {who.connection} answered twice, and not as asked. {issue} A larger "
            "model may do better."
        )
        leaf = AnswerCut if issue == _CUT_OFF else BadResponse
        return leaf(detail, provider=who.provider, model=who.model)


async def ask_fitted(
    question: Question[TAnswer], draft: Draft, evidence: Evidence
) -> tuple[Answered[TAnswer], int]:
    """Ask with as much of the evidence as the model's window holds.

    A refusal may be the first to name the window, and who stands in for another may have a smaller
    one: then the prompt is fitted anew, and asked once more.

    Returns:
        The answer, and how many characters of the evidence the model didn't see.

    Raises:
        ContextTooLong, ContextTruncated: The prompt doesn't fit, though it was fitted.
        AuroraError: What `Question.ask` raises.
    """
    prompt = await question.fit(draft, evidence)
    try:
        return await question.ask(prompt.text), prompt.left_out
    except ModelCallError as error:
        if not _was_too_long(error):
            raise
        failure: ModelCallError = error
    again = await question.fit(draft, evidence, refused=True)
    if again == prompt:
        raise failure
    return await question.ask(again.text), again.left_out


def _was_too_long(error: ModelCallError) -> bool:
    """Whether the prompt didn't fit: at who was asked, or at who stood in."""
    codes = {attempt.code for attempt in error.attempts}
    return isinstance(error, TOO_LONG) or any(leaf.code in codes for leaf in TOO_LONG)


def _provenance_of(binding: Binding) -> Provenance:
    reference = binding.reference
    return Provenance(reference.connection, reference.provider, reference.model, binding.revision)


def answer_in(
    text: str, schema: type[TAnswer], prompt: str, fence: Fence | None = None
) -> tuple[TAnswer | None, str]:
    """Return the object in a text that fits a schema, without the fence's marks, or what is wrong.

    Two that fit and differ are none: an alert may hold one, which the model only quotes. One
    that stands in the prompt is none either, beside whatever else the model says.
    """
    fitting: list[TAnswer] = []
    longest, issue = "", "It isn't one JSON object."
    for candidate, value in objects_as(text, schema, context=fence):
        if isinstance(value, ValidationError):
            if len(candidate) > len(longest):
                longest, issue = candidate, _issues(value)
        elif stands_in(prompt, candidate):
            longest, issue = candidate, _QUOTED
        elif value not in fitting:
            fitting.append(value)
    if len(fitting) > 1:
        return None, "It holds several answers: give one JSON object."
    return (fitting[0], "") if fitting else (None, issue)


def _issues(error: ValidationError) -> str:
    """Name the wrong fields, and why they are wrong; leave their values out."""
    issues = error.errors(include_url=False, include_context=False, include_input=False)
    if any(issue["type"] == "json_invalid" for issue in issues):
        return "It isn't one JSON object."
    places = (f"{'.'.join(map(str, issue['loc']))}: {issue['msg']}" for issue in issues)
    return f"{'; '.join(list(places)[:_MOST_ISSUES])}."

"""What a model can do, learnt by asking it: a few small calls over the production path."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, Field

from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.json_in_text import objects_as
from aurorasoc.errors import (
    AuroraError,
    BadResponse,
    EmptyAnswer,
    ModelCallError,
    ProviderTimeout,
)
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.windows import window_of
from aurorasoc.llm.wire.answers.outcome import Finish, Outcome, outcome_of
from aurorasoc.llm.wire.asking.learned import (
    Capabilities,
    Lesson,
    Place,
    Refusable,
    StructuredOutput,
)
from aurorasoc.llm.wire.failures.translate import name_of_timeout
from aurorasoc.llm.wire.libraries.litellm_table import longest_answer, vendors_row

if TYPE_CHECKING:
    from beeai_framework.backend.types import ChatModelOutput

    from aurorasoc.llm.wire.calls import CallSite

EXTRA_SECONDS: Final = 10.0
"""How long streaming and tools may take each; what takes longer stays unknown."""

_RULES: Final = "You assess alerts. Answer with JSON only."
_ALERT: Final = "Examine this alert: one failed login of the user test on the host lab-1."
_LOOK_UP: Final = "Look the address 192.0.2.1 up with the tool."


class _Finding(BaseModel):
    title: str = Field(max_length=60)
    evidence: str = Field(max_length=100)


class Assessment(BaseModel):
    """The answer of an investigation's step, with the kinds of bounds that it has."""

    findings: list[_Finding] = Field(min_length=1, max_length=2)
    techniques: list[Annotated[str, Field(pattern="^T[0-9]{4}$")]] = Field(max_length=2)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        capabilities: What the model can do.
        failure: Why investigations would get no answers in their form; None if they would.
        thinks_untagged: Whether its thoughts come as text without a tag before them; None if no
            answer showed that.
    """

    capabilities: Capabilities
    failure: ModelCallError | None
    thinks_untagged: bool | None = None

    def lesson(self, place: Place) -> Lesson:
        """Return what to remember of the model at a place."""
        return Lesson(place, capabilities=self.capabilities, thinks_untagged=self.thinks_untagged)


async def ask_capabilities(binding: Binding) -> Findings:
    """Ask a model that answers for what investigations and agents need.

    Takes `LLM_TIMEOUT` and twenty seconds at most.
    """
    form, failure = None, None
    try:
        async with asyncio.timeout(binding.reference.limits.timeout):
            form = await _in_form(binding)
    except ModelCallError as error:
        failure = error
    except TimeoutError:
        failure = _late(binding)
    streamed = await _within(_streamed(binding))
    tools = await _within(_calls_tool(binding))
    window = await window_of(binding)
    capabilities = Capabilities(
        chat=True,
        stream=_worked(streamed),
        tools=tools.tool_calls != () or None if isinstance(tools, Outcome) else _worked(tools),
        structured_output=_way(form, failure),
        system_role=None if form is None else Refusable.SYSTEM_ROLE in form.sent,
        temperature=Refusable.TEMPERATURE in streamed.sent
        if isinstance(streamed, Outcome)
        else None,
        context_window=None if window is None else window.tokens,
        max_output_tokens=longest_answer(vendors_row(binding.reference)),
        counts_tokens=_counts(form, streamed),
        left_out=_left_out(binding, form, streamed, tools),
        asked_at=iso(now_us()),
    )
    return Findings(capabilities, failure, _untagged(form, streamed))


async def _in_form(binding: Binding) -> Outcome:
    """Return an answer in the form of an investigation's; ask twice, as they do.

    Raises:
        BadResponse: Neither answer has it.
    """
    from beeai_framework.backend.message import (  # noqa: PLC0415 - BeeAI costs seconds
        SystemMessage,
        UserMessage,
    )

    messages = [SystemMessage(_RULES), UserMessage(_ALERT)]
    for _ in range(2):
        with suppress(EmptyAnswer):
            output = await _run(
                binding, messages, response_format=Assessment, validate_response_format=False
            )
            outcome = outcome_of(output)
            if _has_form(outcome):
                return outcome
    reference = binding.reference
    detail = (
        f"{reference.model} answers, but not in the form that investigations need: a JSON object "
        "with given fields. A larger model may do better."
    )
    raise BadResponse(detail, provider=reference.provider, model=reference.model)


async def _streamed(binding: Binding) -> Outcome:
    from beeai_framework.backend.message import UserMessage  # noqa: PLC0415 - see above

    question = [UserMessage("Reply with one word: ready.")]
    return outcome_of(await _run(binding, question, stream=True, temperature=0))


async def _calls_tool(binding: Binding) -> Outcome:
    from beeai_framework.backend.message import UserMessage  # noqa: PLC0415 - see above

    return outcome_of(await _run(binding, [UserMessage(_LOOK_UP)], tools=[_tool()]))


async def _run(binding: Binding, messages: list[Any], **options: Any) -> ChatModelOutput:
    from aurorasoc.llm.models.handle import LiveChatModel  # noqa: PLC0415 - imports BeeAI

    handle = LiveChatModel(lambda: binding, lambda pinned: lambda: pinned)
    return await handle.run(messages, **options)


def _tool() -> Any:  # noqa: ANN401 - one of BeeAI's
    from beeai_framework.tools import StringToolOutput, tool  # noqa: PLC0415 - see above

    def look_up(address: str) -> StringToolOutput:
        """Look an address up."""
        return StringToolOutput(address)

    look_up.__annotations__ = {"address": str, "return": StringToolOutput}
    return tool(look_up)


async def _within(asking: Any) -> Outcome | AuroraError | None:  # noqa: ANN401 - a coroutine
    """Return an outcome, the failure, or None for what isn't known in time."""
    try:
        async with asyncio.timeout(EXTRA_SECONDS):
            outcome: Outcome = await asking
            return outcome
    except TimeoutError:
        return None
    except AuroraError as error:
        return error


def _worked(result: Outcome | AuroraError | None) -> bool | None:
    """Return whether it is done; a failure that may pass says nothing."""
    if isinstance(result, Outcome):
        return True
    return False if isinstance(result, BadResponse) else None


def _way(form: Outcome | None, failure: ModelCallError | None) -> StructuredOutput | None:
    """Return how the form was asked for in the call that brought it."""
    if form is None:
        return "none" if isinstance(failure, BadResponse) else None
    for option in (Refusable.JSON_SCHEMA, Refusable.JSON_OBJECT):
        if option in form.sent:
            return "json_schema" if option is Refusable.JSON_SCHEMA else "json_object"
    return "prompt"


def _counts(*results: Outcome | AuroraError | None) -> bool | None:
    counts = [result.usage is not None for result in results if isinstance(result, Outcome)]
    return all(counts) if counts else None


def _left_out(binding: Binding, *results: Outcome | AuroraError | None) -> tuple[str, ...]:
    """Return what calls do without: these ones, and those before that taught it."""
    model: Any = binding.model  # the class that `adapter` mixes has the site
    site: CallSite = model.aurora_site
    outcomes = [result for result in results if isinstance(result, Outcome)]
    return tuple(sorted(site.known.refused.union(*(o.left_out for o in outcomes))))


def _untagged(form: Outcome | None, streamed: Outcome | AuroraError | None) -> bool | None:
    """Return whether thoughts come without a tag: a JSON form may forbid them, a stream doesn't."""
    in_stream = streamed.thoughts_untagged if isinstance(streamed, Outcome) else None
    return True if form is not None and form.thoughts_untagged else in_stream


def _has_form(outcome: Outcome) -> bool:
    """Whether an investigation would take an answer: a whole one, with one object that fits."""
    fitting: list[Assessment] = []
    for _, value in objects_as(outcome.text, Assessment):
        if isinstance(value, Assessment) and value not in fitting:
            fitting.append(value)
    return outcome.finish is not Finish.LENGTH and len(fitting) == 1


def _late(binding: Binding) -> ProviderTimeout:
    reference = binding.reference
    detail = (
        f"{reference.model} answers, but an investigation's question takes longer than "
        f"{reference.limits.timeout:g} s. Raise {name_of_timeout(reference)}."
    )
    return ProviderTimeout(detail, provider=reference.provider, model=reference.model)

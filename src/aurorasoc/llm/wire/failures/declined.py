"""From how an answer ended to one of our errors, where it ended without an answer."""

from __future__ import annotations

from typing import Final

from aurorasoc.errors import BadResponse, ProviderOverloaded, Refused, ToolCallUnusable
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.outcome import Finish, Reading, repeatable
from aurorasoc.llm.wire.failures import verdicts
from aurorasoc.llm.wire.failures.verdicts import Verdict

_SAID: Final = {
    Finish.REFUSED: Verdict(
        Refused,
        "{model} of {provider} declined to answer{why}. Rephrase the question, or ask another "
        "model.",
    ),
    Finish.BLOCKED: verdicts.FILTER,
    Finish.BROKEN_OFF: Verdict(
        ProviderOverloaded, "{provider} failed in mid-answer{why}. Try again later."
    ),
    Finish.BAD_TOOL_CALL: Verdict(
        ToolCallUnusable, "{model} of {provider} made a tool call that can't be used{why}."
    ),
    Finish.UNKNOWN: Verdict(
        BadResponse,
        "{provider} ended the answer for a reason that is unknown here{why}: it may not be whole.",
    ),
}


def require_answer(reading: Reading, reference: ModelReference) -> None:
    """Refuse what isn't an answer, or the beginning of one that was cut.

    Raises:
        Refused: The model declined.
        Blocked: A filter stopped the prompt or the answer.
        ProviderOverloaded: The vendor failed in mid-answer.
        BadResponse: The vendor could not read the model's tool call, or nobody knows whether
            this is the end.
    """
    if reading.finish is None or reading.finish not in _SAID:
        return
    leaf, said = _SAID[reading.finish]
    category = repeatable(reading.category, reference)
    why = f" ({category})" if category else ""
    detail = said.format(provider=reference.connection, model=reference.model, why=why)
    error = leaf(detail, provider=reference.provider, model=reference.model)
    error.category = category
    raise error


def unexplained_end(reference: ModelReference) -> BadResponse:
    """Return the error for a stream that said `[DONE]`, and nothing of why it ended.

    Servers end so when the context window is full, or when what they wait for breaks off, as much
    as after a whole answer (docs/decisions/040).
    """
    detail = (
        f"{reference.connection} ended its stream without a finish_reason: the answer may be cut "
        "off. Ask again; if it never sends one, ask without stream."
    )
    return BadResponse(detail, provider=reference.provider, model=reference.model)

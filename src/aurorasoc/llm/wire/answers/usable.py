"""Whether BeeAI's output of a call can be used: its tool calls, and its JSON.

Importing this imports BeeAI's adapters and litellm; `adapter` does so behind its guard.
"""

from __future__ import annotations

from typing import Any, Final

from beeai_framework.adapters.litellm.utils import (
    fix_double_escaped_tool_calls,
    process_structured_output,
)
from beeai_framework.backend.types import ChatModelInput, ChatModelOutput
from beeai_framework.utils.models import is_pydantic_model

from aurorasoc.core.foreign_json import repaired
from aurorasoc.llm.wire.failures.translate import AnswerTooLong
from aurorasoc.llm.wire.libraries.socket_guard import hosts_code

MAX_TOOL_CALLS: Final = 256
"""Tool calls of one answer: BeeAI compares each with all others."""


class UnusableToolCall(Exception):
    """The arguments of a tool call are no JSON."""


def calls_in(output: ChatModelOutput) -> set[str]:
    """Return the ids of the tool calls."""
    return {call.id for call in output.get_tool_calls()}


def require_few(calls: set[str]) -> None:
    """Refuse more than `MAX_TOOL_CALLS`.

    Raises:
        AnswerTooLong: There are more.
    """
    if len(calls) > MAX_TOOL_CALLS:
        raise AnswerTooLong


def require_valid(output: ChatModelOutput) -> ChatModelOutput:
    """Return an output whose tool calls can be made.

    Raises:
        UnusableToolCall: The arguments of one are no JSON.
    """
    if not output.is_valid():
        fix_double_escaped_tool_calls(output.get_tool_calls())
    if not output.is_valid():
        raise UnusableToolCall
    return output


def structured(asked: ChatModelInput, text: str) -> Any:  # noqa: ANN401 - the class that was asked for
    """Return the JSON that was asked for, as the class that was asked for, if it was.

    Raises:
        ValidationError: It isn't of that class.
    """
    data = process_structured_output(None, repaired(text))
    schema: Any = asked.response_format if asked.validate_response_format else None
    if not schema or not is_pydantic_model(schema):
        return data
    with hosts_code():  # its validators may use the network, and start threads
        return schema.model_validate(data, strict=False)

"""Whether BeeAI's output of a call can be used: its tool calls, and its JSON.

Importing this imports BeeAI's adapters and litellm; `adapter` does so behind its guard.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Any, Final

from beeai_framework.adapters.litellm.utils import (
    fix_double_escaped_tool_calls,
    process_structured_output,
)
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.utils.models import is_pydantic_model
from pydantic import BaseModel, ValidationError

from aurorasoc.core.foreign_json import repaired
from aurorasoc.core.json_in_text import MOST_OBJECTS, objects_in
from aurorasoc.llm.wire.failures.translate import AnswerTooLong
from aurorasoc.llm.wire.libraries.socket_guard import hosts_code

MAX_TOOL_CALLS: Final = 256
"""Tool calls of one answer: BeeAI compares each with all others."""


class UnusableToolCall(Exception):
    """The arguments of a tool call are no JSON."""


class SeveralAnswers(Exception):
    """Objects that differ fit what was asked for: one of them may be quoted."""


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


def structured(schema: Any, text: str) -> Any:  # noqa: ANN401 - a class or a schema, and its JSON
    """Return the JSON that was asked for: as the class that was asked for, if it was one.

    A text without an object that fits is repaired as a whole.

    Raises:
        ChatModelError: It holds no JSON.
        ValidationError: Nothing in it is of that class.
        SeveralAnswers: Objects that differ are.
    """
    text = repaired(text)
    if not is_pydantic_model(schema):
        return process_structured_output(None, text)
    with hosts_code():  # its validators may use the network, and start threads
        fitting = _fitting(text, schema)
        if len(fitting) > 1:
            raise SeveralAnswers
        if fitting:
            return fitting[0]
        return schema.model_validate(process_structured_output(None, text), strict=False)


def _fitting(text: str, schema: type[BaseModel]) -> list[BaseModel]:
    """Return the objects of a class in a text that differ; what stands within one is part of it."""
    fitting: list[BaseModel] = []
    outer = ""
    for candidate in islice(objects_in(text), MOST_OBJECTS):
        if candidate in outer:
            continue
        with suppress(ValidationError):
            value = schema.model_validate_json(candidate, strict=False)
            outer = candidate
            if value not in fitting:
                fitting.append(value)
    return fitting

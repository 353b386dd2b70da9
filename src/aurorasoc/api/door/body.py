"""The body of `POST /v1/chat/completions`: what is taken, and what is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from aurorasoc.api.door.errors import WrongField
from aurorasoc.api.door.messages import AnyTurn, Shape, ToolName
from aurorasoc.config.call_options import ReasoningEffort

MAX_MESSAGES: Final = 200
MAX_TOOLS: Final = 128
MAX_SCHEMA: Final = 65_536
"""Characters of one JSON schema."""

_MOST_TOKENS: Final = 10_000_000
_Label = Annotated[str, StringConstraints(max_length=512)]
_Empty = Annotated[dict[str, Any], Field(max_length=0)]
_Stop = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_Penalty = Annotated[float, Field(ge=-2, le=2)]
_Limit = Annotated[int, Field(ge=1, le=_MOST_TOKENS)]


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse a long schema, and one with NaN or Infinity: Python reads them, JSON has none."""
    try:
        length = len(json.dumps(schema, ensure_ascii=False, allow_nan=False))
    except ValueError:
        msg = "NaN and Infinity are no JSON"
        raise ValueError(msg) from None
    if length > MAX_SCHEMA:
        msg = f"a schema has at most {MAX_SCHEMA} characters"
        raise ValueError(msg)
    return schema


def _of_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse, as OpenAI does, what isn't an object's schema: Claude would see no parameters."""
    if schema.get("type") != "object":
        msg = "a function's parameters have the type object"
        raise ValueError(msg)
    return schema


class Function(Shape):
    """A function that the caller runs."""

    name: ToolName
    description: Annotated[str, StringConstraints(max_length=16_384)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @field_validator("parameters")
    @classmethod
    def _parameters(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        return schema and _of_object(_bounded(schema))


class Tool(Shape):
    """A tool on offer. Only functions are."""

    type: Literal["function"]
    function: Function


class FunctionName(Shape):
    """Which function."""

    name: ToolName


class NamedTool(Shape):
    """The one tool that is to be called."""

    type: Literal["function"]
    function: FunctionName


class JsonSchema(Shape):
    """A schema that the answer is to fit."""

    name: ToolName
    description: Annotated[str, StringConstraints(max_length=16_384)] | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None

    _schema = field_validator("schema_")(_bounded)


class TextFormat(Shape):
    """Text, as without a format."""

    type: Literal["text"]


class JsonObjectFormat(Shape):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(Shape):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(Shape):
    """What a stream says beside its pieces."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class CompletionBody(Shape):
    """A completion to make. A field that is null is as good as left out.

    The fields of the last group change nothing where they have the one value that is taken;
    those before it are taken and not sent on.
    """

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    messages: list[AnyTurn] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: (
        Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
        | None
    ) = None

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: ReasoningEffort | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None

    user: _Label | None = None
    safety_identifier: _Label | None = None
    prompt_cache_key: _Label | None = None
    metadata: Annotated[dict[str, _Label], Field(max_length=16)] | None = None

    n: Literal[1] | None = None
    store: Literal[False] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    logit_bias: _Empty | None = None
    modalities: tuple[Literal["text"]] | None = None
    service_tier: Literal["auto", "default"] | None = None
    verbosity: Literal["medium"] | None = None
    audio: None = None
    function_call: None = None
    functions: None = None
    prediction: None = None
    prompt_cache_retention: None = None
    web_search_options: None = None


def require_fit(body: CompletionBody) -> None:
    """Refuse fields that don't go together.

    Raises:
        WrongField: It names one of them.
    """
    for field, reason in _misfits(body):
        detail = f"{field}: {reason}"
        raise WrongField(detail, field)


def _misfits(body: CompletionBody) -> Iterator[tuple[str, str]]:
    names = {tool.function.name for tool in body.tools or ()}
    choice = body.tool_choice
    bounds = {body.max_tokens, body.max_completion_tokens} - {None}
    if len(names) < len(body.tools or ()):
        yield "tools", "two of them have the same name"
    if isinstance(choice, NamedTool) and choice.function.name not in names:
        yield "tool_choice", "it names none of the tools"
    if not names and choice == "required":
        yield "tool_choice", "there are no tools"
    if not names and body.parallel_tool_calls is not None:
        yield "parallel_tool_calls", "there are no tools"
    if len(bounds) > 1:
        yield "max_tokens", "max_completion_tokens says another number"
    if body.stream_options is not None and not body.stream:
        yield "stream_options", "it goes with stream"

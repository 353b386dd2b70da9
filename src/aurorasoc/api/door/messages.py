"""Messages in OpenAI's shape, as far as they are taken here."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, Never

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from aurorasoc.core.bodies import RequestBody
from aurorasoc.core.inbound.bodies import require_shallow
from aurorasoc.errors import InvalidInput

MAX_CONTENT: Final = 200_000
"""Characters of one text. An image is bounded by the body alone."""

MAX_CALLS: Final = 128
MAX_PARTS: Final = 64

ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
"""Gemini's signatures travel in ids of calls."""

Text = Annotated[str, StringConstraints(max_length=MAX_CONTENT)]
SomeText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CONTENT)]
_Name = Annotated[str, StringConstraints(max_length=64)] | None


class Shape(RequestBody):
    """An object of the protocol. What isn't listed is refused, not dropped."""

    model_config = ConfigDict(frozen=True)


def _is_object(text: str) -> bool:
    """Whether a text is a JSON object, nested no deeper than a body may be."""
    try:
        require_shallow(text.encode())
        return isinstance(json.loads(text, parse_constant=_refuse), dict)
    except (ValueError, InvalidInput):
        return False


def _refuse(constant: str) -> Never:
    """Refuse NaN and Infinity: Python reads them, JSON has none."""
    raise ValueError(constant)


class TextPart(Shape):
    """A part that is text."""

    type: Literal["text"]
    text: Text


class RefusalPart(Shape):
    """What an assistant said to decline."""

    type: Literal["refusal"]
    refusal: Text


class ImageUrl(Shape):
    """An image inside the message: no address is fetched."""

    url: str = Field(pattern=r"^data:", examples=["data:image/png;base64,iVBORw0KGgo="])
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Shape):
    """A part that is an image."""

    type: Literal["image_url"]
    image_url: ImageUrl


_TextParts = Annotated[list[TextPart], Field(min_length=1, max_length=MAX_PARTS)]
_UserParts = Annotated[
    list[Annotated[TextPart | ImagePart, Field(discriminator="type")]],
    Field(min_length=1, max_length=MAX_PARTS),
]
_AssistantParts = Annotated[
    list[Annotated[TextPart | RefusalPart, Field(discriminator="type")]],
    Field(max_length=MAX_PARTS),
]


class SystemTurn(Shape):
    """Instructions."""

    role: Literal["system", "developer"]
    content: SomeText | _TextParts
    name: _Name = None


class UserTurn(Shape):
    """What the user says."""

    role: Literal["user"]
    content: SomeText | _UserParts
    name: _Name = None


class CalledFunction(Shape):
    """A function that was called; `arguments` is JSON in a string."""

    name: ToolName
    arguments: Text
    parsed_arguments: Any = None  # openai-python's own reading of them, which it sends back

    @field_validator("arguments")
    @classmethod
    def _arguments(cls, arguments: str) -> str:
        """Refuse what vendors' formats can't carry: it would be dropped, or fail to be sent."""
        if not arguments.strip() or _is_object(arguments):
            return arguments
        msg = "a call's arguments are a JSON object"
        raise ValueError(msg)


class ToolCallPart(Shape):
    """A tool call that an assistant made."""

    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None  # some clients repeat a stream's


class AssistantTurn(Shape):
    """What the model said before. The fields of an answer may be sent back as they came."""

    role: Literal["assistant"]
    content: Text | _AssistantParts | None = None
    refusal: Text | None = None
    tool_calls: Annotated[list[ToolCallPart], Field(max_length=MAX_CALLS)] | None = None
    name: _Name = None
    reasoning_content: Text | None = None
    parsed: Any = None  # openai-python's own reading of the content, which it sends back
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None


class ToolTurn(Shape):
    """What a tool returned."""

    role: Literal["tool"]
    content: Text | _TextParts
    tool_call_id: CallId
    name: _Name = None


AnyTurn = Annotated[SystemTurn | UserTurn | AssistantTurn | ToolTurn, Field(discriminator="role")]

"""What OpenAPI says of the door: the shapes of answers and errors, for whoever reads documents."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from aurorasoc.core.inbound.streams import EVENTS_TYPE

_JSON: Final = "application/json"


class ErrorFields(BaseModel):
    """What is wrong, in OpenAI's fields, with our codes."""

    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(examples=["messages.0.content"])
    code: str = Field(examples=["invalid_input"])


class ErrorDocument(BaseModel):
    """An error in OpenAI's shape."""

    error: ErrorFields


class Model(BaseModel):
    """A name that `model` takes."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[Model]


class Completion(BaseModel):
    """A whole answer; its fields are OpenAI's."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str = Field(description="The model that answered, in its provider's words.")
    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None = Field(
        None, description="Absent where the provider counts nothing."
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of a route's errors."""
    error: dict[str, Any] = {"model": ErrorDocument, "description": "Error"}
    return {status: dict(error) for status in statuses}


STREAMED: Final[dict[str, Any]] = {
    EVENTS_TYPE: {
        "schema": {"type": "string"},
        "example": 'data: {"object": "chat.completion.chunk", …}\n\ndata: [DONE]\n\n',
    }
}
"""A streamed answer: OpenAI's chunks, then `[DONE]`; or an error, and no `[DONE]`."""

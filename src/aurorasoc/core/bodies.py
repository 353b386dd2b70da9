"""What the types of requests and of answers have in common."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

DEFERRED: Final = ConfigDict(defer_build=True)
"""Build an answer's serializer at its first use: FastAPI would build one for each route at start.

A frozen dataclass takes it as `__pydantic_config__: ClassVar = DEFERRED`.
"""


class RequestBody(BaseModel):
    """A request's JSON: unknown fields are refused, and errors never repeat what was sent."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

"""What an admin may ask of every call on a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

StructuredOutput = Literal["auto", "json_schema", "json_object", "prompt"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost, in US dollars for each million.

    Attributes:
        prompt: Of the prompt.
        completion: Of the answer and of the thoughts before it.
        cached: Of the prompt, from the vendor's cache; None: as the rest of the prompt.
        cache_write: Of the prompt, put into that cache; None: as the rest of the prompt.
    """

    prompt: float
    completion: float
    cached: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class CallOptions:
    """A connection's options. One that is None isn't sent, or is as the process's limits say.

    Attributes:
        temperature: 0 to 2.
        max_output_tokens: The most tokens of an answer, thoughts included.
        reasoning_effort: How much a reasoning model thinks.
        timeout: Seconds for a whole answer, instead of `LLM_TIMEOUT`.
        first_token_timeout: Seconds until a stream's first token.
        structured_output: How answers are made to be JSON; `auto` or None: as is learnt by asking.
        headers: Sent with each request. They carry no secret.
        price: What its tokens cost, instead of the bundled table.
    """

    temperature: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    timeout: float | None = None
    first_token_timeout: float | None = None
    structured_output: StructuredOutput | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    price: Price | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what is set, as plain values."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}


NO_OPTIONS: Final = CallOptions()

"""What one call asks of a model, and the HTTP request that this becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from aurorasoc.config.call_options import CallOptions
from aurorasoc.core.foreign_json import repaired
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.asking.tool_call_ids import holds_foreign_ids
from aurorasoc.llm.wire.key_uses import KEY_USES

OPTIONS: Final = frozenset(option.value for option in Refusable)
"""The names of refusable options, some of which are names in a request."""

BOUNDS: Final = frozenset({Refusable.MAX_TOKENS, Refusable.MAX_COMPLETION_TOKENS})
"""The two names of a bound on the answer: a server takes one or both."""

_FORMATS: Final = {"json_schema": Refusable.JSON_SCHEMA, "json_object": Refusable.JSON_OBJECT}
_IN_OTHER_WORDS: Final = frozenset(
    {
        *_FORMATS.values(),
        Refusable.PARALLEL_TOOL_CALLS,
        Refusable.SYSTEM_ROLE,
        Refusable.TOOL_CALL_IDS,
    }
)
"""What vendors say each in their way: what was asked for is there."""

_EFFORTS: Final = frozenset({"reasoning", "thinking", "thinkingConfig"})
"""How OpenAI's Responses, Anthropic and DeepSeek, and Gemini say an effort."""

_WHOLE: Final = "application/json"
_STREAM: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call, in the shape that BeeAI's adapters make: OpenAI's.

    Attributes:
        reference: The model that is called.
        messages: The conversation.
        options: What the caller set; names of `options.TRANSLATED`, never None.
        stream: Whether the answer is wanted in pieces.
        cache_points: Which messages a prompt cache may end at.
        refused: What the model refuses.
        left_out: What of that was asked for: left out, or said in another way.
        thinks_untagged: Whether the model is known to leave out the tag before its thoughts.
    """

    reference: ModelReference
    messages: list[dict[str, Any]]
    options: dict[str, Any]
    stream: bool
    cache_points: tuple[int, ...] = ()
    refused: frozenset[Refusable] = frozenset()
    left_out: frozenset[Refusable] = frozenset()
    thinks_untagged: bool = False


@dataclass(frozen=True, slots=True)
class Transmission:
    """One HTTP POST, complete: nothing is added on its way but what HTTP itself needs.

    Attributes:
        url: Where it goes.
        headers: With the key.
        body: The vendor's JSON.
        sent: What it holds that the model may refuse, and that can be left out.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent: frozenset[Refusable] = frozenset()


def post(request: ModelRequest, path: str, body: Mapping[str, Any], **headers: str) -> Transmission:
    """Address a body: to the connection's own base URL, with its key in the vendor's header.

    Args:
        request: The call.
        path: The vendor's path below the base URL.
        body: The vendor's JSON.
        headers: What the vendor wants beside the catalog's; underscores stand for dashes.
    """
    reference = request.reference
    spec = CATALOG[reference.provider]
    base = reference.base_url or spec.default_base_url
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {
        "accept": _STREAM if request.stream else _WHOLE,
        "content-type": _WHOLE,
        **spec.headers(reference.reveal_key()),
        **named,
    }
    if reference.options.headers:
        sent = with_own_headers(sent, reference.options)
    url = f"{base}{spec.adapter_root}{path}"
    return Transmission(url, sent, repaired(json.dumps(body)).encode(), _sent(request, body))


def question_headers(reference: ModelReference) -> dict[str, str]:
    """Return the headers of a question about models: the vendor's, and the connection's own.

    It is about to be sent, and its key is noted as such.
    """
    KEY_USES.note(reference.key_tag)
    spec = CATALOG[reference.provider]
    headers = spec.headers(reference.reveal_key()) if reference.has_key else {}
    return with_own_headers(headers, reference.options)


def with_own_headers(headers: Mapping[str, str], options: CallOptions) -> dict[str, str]:
    """Add a connection's own headers, which replace none."""
    taken = {name.lower() for name in headers}
    added = {name: value for name, value in options.headers.items() if name.lower() not in taken}
    return {**added, **headers}


def asked_for(request: ModelRequest) -> set[Refusable]:
    """Return what a request asks for that a model may refuse, and that can be left out."""
    asked = {Refusable(name) for name in request.options if name in OPTIONS}
    if Refusable.MAX_TOKENS in asked:
        asked |= BOUNDS
    requested = request.options.get("response_format")
    if isinstance(requested, Mapping) and requested.get("type") in _FORMATS:
        asked.add(_FORMATS[requested["type"]])
    if any(message.get("role") == "system" for message in request.messages):
        asked.add(Refusable.SYSTEM_ROLE)
    if holds_foreign_ids(request.messages):
        asked.add(Refusable.TOOL_CALL_IDS)
    if request.stream:
        asked.add(Refusable.STREAM_OPTIONS)
    return asked


def _sent(request: ModelRequest, body: Mapping[str, Any]) -> frozenset[Refusable]:
    """Return what of that a body holds."""
    settings = body.get("generationConfig")
    said = {*body, *settings} if isinstance(settings, Mapping) else {*body}
    asked = asked_for(request)
    if Refusable.REASONING_EFFORT in asked and not said.isdisjoint(_EFFORTS):
        said.add(Refusable.REASONING_EFFORT.value)
    return frozenset(o for o in asked if o in _IN_OTHER_WORDS or _is_said(o.value, said))


def _is_said(name: str, said: AbstractSet[str]) -> bool:
    """Whether a body says an option: a translator may leave out what the vendor doesn't take."""
    first, *others = name.split("_")
    camel = first + "".join(other.capitalize() for other in others)
    return name in said or camel in said

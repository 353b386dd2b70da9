"""What one call asks of a model, and the HTTP request that this becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG

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
    """

    reference: ModelReference
    messages: list[dict[str, Any]]
    options: dict[str, Any]
    stream: bool
    cache_points: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Transmission:
    """One HTTP POST, complete: nothing is added on its way but what HTTP itself needs."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


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
    return Transmission(f"{base}{spec.adapter_root}{path}", sent, json.dumps(body).encode())

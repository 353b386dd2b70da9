"""What clients send, made small and plain before the SDK parses it.

Data becomes JSON text: the protocol's type for it makes 443 a 443.0, rounds long numbers, can't be
merged beyond some 30 levels, and takes seconds to validate (protobuf 7.36, a2a-sdk 1.3.0). A model
gets it as text in any case.
"""

from __future__ import annotations

import json
from typing import Any, Final

from a2a.types import Message, Part, Role
from a2a.utils.errors import InvalidParamsError

from aurorasoc.a2a.failures import (
    EmptyPart,
    FileRefused,
    MediaTypeRefused,
    MetadataTooLarge,
    NotFromUser,
    NothingAsked,
    TooManyParts,
)

JSON_TYPE: Final = "application/json"

MAX_PARTS: Final = 500
"""Parts of a message."""

MAX_METADATA: Final = 4_096
"""Characters of all metadata of a request, as JSON."""

MAX_METADATA_LEVELS: Final = 16

MAX_NAME: Final = 256
"""Characters of an id that a client chooses: answers and events repeat it."""

_NAMES: Final = ("messageId", "contextId", "taskId")
_MAX_HISTORY: Final = 2**31 - 1


def plain(params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a call's parameters with all data as text.

    Raises:
        InvalidParamsError: They are no object, or a message in them is too large to be one.
    """
    if not isinstance(params, dict):
        raise InvalidParamsError
    for holder in (params, params.get("configuration")):
        _require_history_length(holder)
    message = params.get("message")
    if message is None:
        _require_small_metadata([params])
        return params
    made = _plain_message(message)
    _require_small_metadata([params, made, *made["parts"]])
    return params | {"message": made}


def require_answerable(message: Message) -> None:
    """Refuse a message that no agent here can answer.

    Raises:
        NotFromUser: It isn't a user's.
        EmptyPart: A part holds nothing that is known.
        FileRefused, MediaTypeRefused: A part is something else than text and JSON.
        NothingAsked: There is nothing in it.
    """
    if message.role != Role.ROLE_USER:
        raise NotFromUser
    for part in message.parts:
        content = part.WhichOneof("content")
        if content is None:
            raise EmptyPart
        if content != "text":  # data is text by now
            raise FileRefused
        if not _is_text(part):
            raise MediaTypeRefused
    if not any(part.text.strip() for part in message.parts):
        raise NothingAsked


def _plain_message(message: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if not isinstance(message, dict):
        raise InvalidParamsError
    if any(len(str(message.get(name, ""))) > MAX_NAME for name in _NAMES):
        raise InvalidParamsError
    parts = message.get("parts")
    if not isinstance(parts, list):
        raise InvalidParamsError
    if len(parts) > MAX_PARTS:
        raise TooManyParts
    return message | {"parts": [_plain_part(part) for part in parts]}


def _plain_part(part: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if not isinstance(part, dict):
        raise InvalidParamsError
    if "data" not in part:
        return part
    if part.keys() & {"text", "raw", "url", "file"}:
        raise InvalidParamsError
    rest = {name: value for name, value in part.items() if name not in {"data", "kind"}}
    text = json.dumps(part["data"], ensure_ascii=False)
    if "kind" in part:  # version 0.3 has no media type of a part
        return rest | {"kind": "text", "text": text}
    return {"mediaType": JSON_TYPE} | rest | {"text": text}


def _require_small_metadata(holders: list[dict[str, Any]]) -> None:
    metadata = [holder["metadata"] for holder in holders if holder.get("metadata") is not None]
    if len(json.dumps(metadata)) > MAX_METADATA or _levels(metadata) > 1 + MAX_METADATA_LEVELS:
        raise MetadataTooLarge


def _require_history_length(holder: Any) -> None:  # noqa: ANN401 - JSON
    """Refuse what version 0.3's conversion to protobuf would fail on."""
    length = holder.get("historyLength") if isinstance(holder, dict) else None
    if isinstance(length, int) and not 0 <= length <= _MAX_HISTORY:
        raise InvalidParamsError


def _levels(value: Any) -> int:  # noqa: ANN401 - JSON
    """Count the levels of JSON; a body has few (`require_shallow`)."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_levels, value), default=0) if isinstance(value, list) else 0


def _is_text(part: Part) -> bool:
    declared = part.media_type.partition(";")[0].strip().lower()
    return not declared or declared.startswith("text/") or declared == JSON_TYPE

"""Images and files travel inside a message, to a model that takes them.

What only names an address is refused. LiteLLM's translators would fetch it: with this process's
network and rights, at whatever address a message holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aurorasoc.errors import ImageNotTaken, InvalidInput
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.libraries.litellm_table import vendors_row

_DATA: Final = re.compile(r"data:[\w.+/-]*(?:;[\w.+=-]+)*;base64,[A-Za-z0-9+/=_\s-]*")


def require_inline(messages: Iterable[Mapping[str, Any]]) -> None:
    """Refuse messages that hold anything but text and `data:` URLs.

    Raises:
        InvalidInput: A part names an address, or is of a kind that isn't known.
    """
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            for part in content:
                _require_inline(part)
        elif isinstance(content, Mapping):
            _require_inline(content)


def require_images_taken(messages: Iterable[Mapping[str, Any]], reference: ModelReference) -> None:
    """Refuse images to a model that is known not to take any.

    The table knows it of a vendor's own models at its own address; where it says nothing, nobody
    knows, and the vendor is asked. Await `litellm_table.load` before.

    Raises:
        ImageNotTaken: A message holds an image, and the model takes none.
    """
    if any(map(_holds_image, messages)) and vendors_row(reference).get("supports_vision") is False:
        detail = (
            f"image_url: {reference.model} of {reference.connection} takes no images. Leave them "
            "out, or ask a model that takes them."
        )
        raise ImageNotTaken(detail)


def _holds_image(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(
        isinstance(part, Mapping) and part.get("type") == "image_url" for part in content
    )


def _require_inline(part: object) -> None:
    if isinstance(part, str):
        return
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or kind not in _READERS:
        detail = f"A message holds text, image_url or file, and no {kind or type(part).__name__}."
        raise InvalidInput(detail)
    if not all(_is_inline(address) for address in _READERS[kind](part)):
        detail = "Images and files must be data: URLs (base64): no address is fetched."
        raise InvalidInput(detail)


def _is_inline(address: object) -> bool:
    return isinstance(address, str) and _DATA.fullmatch(address) is not None


def _of_text(part: Mapping[str, Any]) -> list[object]:
    return [] if isinstance(part.get("text"), str) else [None]


def _of_image(part: Mapping[str, Any]) -> list[object]:
    image = part.get("image_url")
    return [image.get("url") if isinstance(image, Mapping) else image]


def _of_file(part: Mapping[str, Any]) -> list[object]:
    file = part.get("file")
    if not isinstance(file, Mapping) or file.get("file_id") is not None:
        return [None]
    return [file.get("file_data")]


_READERS: Final = {"text": _of_text, "image_url": _of_image, "file": _of_file}

"""The page's files, read once, under a version that changes with any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from aurorasoc.web.known import KNOWN, known_as_json

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""The only files that are served. The document itself is rendered."""

_DOCUMENT: Final = "index.html"
_FOLDER: Final = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is sent."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of one build.

    Attributes:
        version: A digest over names and contents. It is part of every address, so that a browser
            may cache a file for good, and never mixes the files of two builds.
        document: The page, with `$name` as placeholders.
        files: By name.
    """

    version: str
    document: str
    files: Mapping[str, Asset]


@cache
def load_assets() -> Assets:
    """Read the files at the first request for the page, not when the API starts."""
    contents = {item.name: item.read_bytes() for item in sorted(_FOLDER.iterdir())}
    contents[KNOWN] = known_as_json()
    served = {
        name: Asset(content, media_type)
        for name, content in contents.items()
        if (media_type := MEDIA_TYPES.get(Path(name).suffix))
    }
    return Assets(_version(contents), contents[_DOCUMENT].decode("utf-8"), served)


def _version(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]

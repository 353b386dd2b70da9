"""Read an alert's file: one JSON value, or one of many that stand a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import BinaryIO, Final

from aurorasoc.core.encodings import text_of
from aurorasoc.errors import InvalidInput

MAX_FILE: Final = 33_554_432
"""Bytes that are read. An alert has 256 KiB at most; a log has many of them."""

_NO_JSON: Final = object()

_NOT_JSON: Final = (
    "The file isn't JSON. Put text into an object with a title: "
    '{"title": "Failed logins", "log": "…"}.'
)


def read_alert(file: BinaryIO, line: int | None = None) -> object:
    """Return the JSON value of a file, or of one line of it.

    Args:
        file: UTF-8 or UTF-16, with or without a byte order mark.
        line: The line to read, counted from 1. None means the whole file is one value.

    Raises:
        InvalidInput: It is too large, isn't JSON, or has several values and none was chosen.
    """
    text = _text(file.read(MAX_FILE + 1))
    if line is not None:
        return _line(text.removesuffix("\n").split("\n"), line)
    document = _parsed(text)
    if document is not _NO_JSON:
        return document
    raise InvalidInput(_choose(text.split("\n")) or _NOT_JSON)


def _text(data: bytes) -> str:
    if len(data) > MAX_FILE:
        detail = (
            f"The file is larger than {MAX_FILE >> 20} MiB. Pass one record of it: "
            "`tail -n 1 eve.json | aurorasoc investigate -`."
        )
        raise InvalidInput(detail)
    try:
        return text_of(data)
    except UnicodeDecodeError:
        pass
    detail = "The file isn't JSON in UTF-8 or UTF-16."
    raise InvalidInput(detail)


def _line(lines: list[str], number: int) -> object:
    if number > len(lines):
        detail = f"The file has no line {number}: it has {len(lines)}."
        raise InvalidInput(detail)
    document = _parsed(lines[number - 1])
    if document is _NO_JSON:
        detail = f"Line {number} isn't JSON."
        raise InvalidInput(detail)
    return document


def _choose(lines: list[str]) -> str | None:
    """Say how to choose one of a file's records; None if its lines aren't records."""
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    if len(filled) < 2 or not isinstance(_parsed(lines[filled[0] - 1]), dict):  # noqa: PLR2004 - several
        return None
    alert = _first_alert((number, lines[number - 1]) for number in filled)
    choice = f"its first alert is --line {alert}" if alert else f"such as --line {filled[0]}"
    return f"The file has {len(filled)} lines, each a record of its own. Choose one: {choice}."


def _first_alert(lines: Iterable[tuple[int, str]]) -> int | None:
    """Return the first line with an alert among Suricata's other events."""
    for number, line in lines:
        document = _parsed(line) if '"alert"' in line else None
        if isinstance(document, dict) and document.get("event_type") == "alert":
            return number
    return None


def _parsed(text: str) -> object:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON
    return document

"""Show log lines to a person at a terminal: short, and coloured where wanted.

The lines are made from the finished JSON lines, so they are redacted in the same place.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any, Final

MOST: Final = 300
"""Characters of a value that are shown."""

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_LEVELS: Final = {
    "debug": _DIM,
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}
_SHOWN_FIRST: Final = frozenset({"timestamp", "level", "logger", "event", "exception"})


class ShortLines(logging.Formatter):
    """Turn what another formatter makes, one JSON object, into a short line.

    Args:
        inner: Makes the JSON line.
        colour: Whether the terminal shows colours.
    """

    def __init__(self, inner: logging.Formatter, *, colour: bool) -> None:
        super().__init__()
        self._inner = inner
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return `TIME LEVEL LOGGER: EVENT name=value …`, and a traceback's frames below."""
        line = self._inner.format(record)
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            return "\n".join(map(_printable, line.splitlines()))
        return "\n".join([self._line(event), *_frames(event.get("exception"))])

    def _line(self, event: dict[str, Any]) -> str:
        level = str(event.get("level", ""))
        logger = str(event.get("logger", "")).removeprefix("aurorasoc.")
        values = [f"{n}={_shown(v)}" for n, v in event.items() if n not in _SHOWN_FIRST]
        parts = [
            self._in(_DIM, _clock(str(event.get("timestamp", "")))),
            self._in(_LEVELS.get(level, ""), _printable(f"{level:<7}")),
            _printable(f"{logger}: {event.get('event', '')}"),
            self._in(_DIM, _printable(" ".join(values))),
        ]
        return " ".join(part for part in parts if part)

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colour and colour and text else text


def _clock(timestamp: str) -> str:
    """Return the local time of day."""
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone():%H:%M:%S}"
    except ValueError:
        return _printable(timestamp)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and (not value or " " in value):
        text = f'"{value}"'
    return text if len(text) <= MOST else f"{text[:MOST]}…"


def _frames(exception: object) -> list[str]:
    """Return one line for each exception of a chain, and one for each of its frames."""
    lines = []
    for raised in exception if isinstance(exception, list) else []:
        lines.append(f"  {raised.get('exc_type')}: {raised.get('exc_value')}")
        lines += [
            f"    {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
            for frame in raised.get("frames", [])
        ]
    return [_printable(line) for line in lines]


def _printable(text: str) -> str:
    """Write out what would steer the terminal: a logged text may come from outside."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

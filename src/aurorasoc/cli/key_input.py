"""Read a key from a terminal or a pipe."""

from __future__ import annotations

import sys
from typing import Final

import typer

from aurorasoc.core.encodings import text_of

_MAX_INPUT: Final = 65_536
"""Bytes that are read of a key: more than the longest has, in any encoding."""


def read_key() -> str:
    """Read a key from the terminal or from a pipe; the rules for keys refuse what is no text."""
    if sys.stdin.isatty():
        return str(typer.prompt("Key", hide_input=True))
    data = sys.stdin.buffer.read(_MAX_INPUT)
    try:
        return text_of(data)
    except UnicodeDecodeError:
        return data.decode("ascii", "replace")

"""Read a key from a terminal or a pipe."""

from __future__ import annotations

import sys
from typing import Final

import typer

from aurorasoc.core.encodings import text_of
from aurorasoc.errors import InvalidInput

_MAX_INPUT: Final = 65_536
"""Bytes that are read of a key: more than the longest has, in any encoding."""


def read_key(name: str = "--key", prompt: str = "Key") -> str:
    """Read a key from the terminal or from a pipe; the rules for keys refuse what is no text.

    Args:
        name: What a refusal calls it.
        prompt: What a terminal shows.

    Raises:
        InvalidInput: Standard input is empty.
    """
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, err=True))
    data = sys.stdin.buffer.read(_MAX_INPUT)
    if not data:
        detail = f"{name}: standard input is empty. Pipe the key into this command."
        raise InvalidInput(detail)
    try:
        return text_of(data)
    except UnicodeDecodeError:
        return data.decode("ascii", "replace")

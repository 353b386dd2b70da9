"""Print the output of commands: JSON on request, else plain lines."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_json(data: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print JSON, indented."""
    say(json.dumps(data, indent=2, ensure_ascii=False, default=asdict))


def operator() -> str:
    """Return the name of the shell's user, for the audit log."""
    return f"cli:{getpass.getuser()}"

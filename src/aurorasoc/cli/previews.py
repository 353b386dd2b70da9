"""Show what a rollback or a reset would change of what is in force, before it is made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from aurorasoc.cli.changes import difference_line
from aurorasoc.cli.output import say

if TYPE_CHECKING:
    from aurorasoc.llm.changes.previews import KeyNeeded, Preview

Sure = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
TestFirst = Annotated[
    bool,
    typer.Option("--test", help="Test both roles' models first; change nothing if that fails."),
]


def say_preview(preview: Preview, *, as_json: bool) -> None:
    """Print what is in force now and then, which keys that needs, and what it allows.

    Args:
        preview: What the change leads to.
        as_json: Whether standard output is for the answer alone.
    """
    changes = [difference_line(one, default="none") for one in preview.changes]
    for line in [*changes, *(_needed(one) for one in preview.keys), *preview.widens]:
        if as_json:
            sys.stderr.write(f"{line}\n")
        else:
            say(line)


def _needed(key: KeyNeeded) -> str:
    has = f"its key is for {key.belongs_to}" if key.belongs_to else "it has none"
    use = "" if key.in_use else ". Nobody uses it: it can be stored later"
    return f"{key.connection} needs a key for {key.origin}; {has}{use}."

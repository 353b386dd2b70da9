"""Print what a change led to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from aurorasoc.cli.output import say, say_json

if TYPE_CHECKING:
    from aurorasoc.llm.admin import MutationAnswer


def say_change(answer: MutationAnswer, *, as_json: bool) -> None:
    """Print what is in force after a change."""
    if as_json:
        document = asdict(answer)
        # a shell command doesn't wait for other processes
        del document["adoption"], document["old_key"]
        say_json(document)
        return
    say(f"revision {answer.revision}, active: {answer.active.backend} {answer.active.model}")
    shown = answer.provider or answer.active
    for problem in shown.problems + shown.warnings:
        say(f"  {problem.code}: {problem.detail}")

"""Print what a change led to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from aurorasoc.cli.output import say, say_json

if TYPE_CHECKING:
    from aurorasoc.config.snapshot import ConnectionConfig
    from aurorasoc.llm.admin import MutationAnswer

_STORES: Final = {"vault": "Vault", "database": "the database", "env": "the environment"}


def say_change(answer: MutationAnswer, *lines: str, as_json: bool) -> None:
    """Print what was changed, a line each, and what is in force then."""
    if as_json:
        document = asdict(answer)
        for name in ("adoption", "old_key", "old_key_last_used_at", "old_key_tags"):
            del document[name]  # a shell command doesn't wait for other processes
        say_json(document)
        return
    for line in lines:
        say(line)
    say(f"revision {answer.revision}, active: {answer.active.backend} {answer.active.model}")
    shown = answer.provider or answer.active
    for problem in shown.problems + shown.warnings:
        say(f"  {problem.code}: {problem.detail}")


def key_place(config: ConnectionConfig) -> str:
    """Say for which address a connection's key is, and in which store."""
    credential = config.credential
    if credential.source is None:
        return "nowhere"
    return f"for {credential.origin} in {_STORES[credential.source]}"

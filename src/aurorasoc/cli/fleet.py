"""`aurorasoc fleet`: which process runs what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.cli.table import table

if TYPE_CHECKING:
    from aurorasoc.llm.fleet.registry import Member

_HEADER: Final = ("STATE", "KIND", "NAME", "HOST", "REVISION", "CONNECTION", "MODEL", "ADOPTED AT")


def fleet(as_json: AsJson = False) -> None:
    """List the live processes, and which revision each runs."""
    view = in_runtime(lambda runtime: runtime.fleet.look())
    if as_json:
        say_json(view)
        return
    say(f"revision {view.revision}, live processes: {len(view.instances)}")
    if view.instances:
        for line in table(_HEADER, map(_cells, view.instances)):
            say(line)


def _cells(member: Member) -> tuple[str | None, ...]:
    return (
        member.state,
        member.kind,
        member.name,
        member.host,
        str(member.revision),
        member.backend,
        member.model,
        member.adopted_at,
    )

"""`aurorasoc fleet`: which process runs what, and what keeps it from calling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.cli.table import table

if TYPE_CHECKING:
    from aurorasoc.llm.fleet.registry import FleetView, Member

_HEADER: Final = (
    "STATE",
    "KIND",
    "NAME",
    "HOST",
    "REVISION",
    "CONNECTION",
    "MODEL",
    "ADOPTED AT",
    "HOSTED",
)


def fleet(as_json: AsJson = False) -> None:
    """List the live processes, what each runs, and what hinders it."""
    view = in_runtime(lambda runtime: runtime.fleet.look())
    if as_json:
        say_json(view)
        return
    say(_summary(view))
    if not view.instances:
        return
    header, *lines = table(_HEADER, map(_cells, view.instances))
    say(header)
    for line, member in zip(lines, view.instances, strict=True):
        say(line)
        for detail in _details(member):
            say(f"    {detail}")


def _summary(view: FleetView) -> str:
    """Count the processes, and those that a row says something of."""
    states = view.states()
    hindered = sum(bool(member.hindrances) for member in view.instances)
    counts = [
        f"{count} {what}"
        for count, what in (
            (states["behind"], "behind"),
            (states["diverged"], "diverged"),
            (hindered, "can't call"),
        )
        if count
    ]
    line = f"revision {view.revision}, live processes: {len(view.instances)}"
    return f"{line} ({', '.join(counts)})" if counts else line


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
        _hosted(member),
    )


def _details(member: Member) -> Iterator[str]:
    for hindrance in member.hindrances:
        subject = f"can't call {hindrance.connection}" if hindrance.connection else "not adopted"
        yield f"{subject}: {hindrance.detail}"
    if member.not_asked:
        yield f"doesn't ask for a while: {', '.join(member.not_asked)}"
    if member.differences:
        named = (f"{one.setting} ({one.variable or 'no variable'})" for one in member.differences)
        yield f"differs from this shell: {', '.join(named)}"


def _hosted(member: Member) -> str:
    """Say whether a process calls hosted providers, and when it last exchanged a byte with one."""
    state = "stopped" if member.hosted_stopped else "allowed"
    return state if member.last_hosted_at is None else f"{state}, last byte {member.last_hosted_at}"

"""`aurorasoc hosted stop|allow`: all traffic to hosted providers, everywhere or on this host."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated

import typer

from aurorasoc.cli.arguments import checked
from aurorasoc.cli.changes import Wait, make_change
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.config.hosted_traffic import HostedState
from aurorasoc.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from aurorasoc.config.snapshot import Snapshot
    from aurorasoc.llm.changes.requests import HostedTrafficRequest
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Stop all traffic to hosted providers, or allow it.", no_args_is_help=True)

Here = Annotated[
    bool,
    typer.Option(
        "--here", help="On this host alone, by a file in AURORA_STATE_DIR. Needs no database."
    ),
]
Reason = Annotated[str | None, typer.Option(help="Why; everybody reads it.")]


@app.command()
def stop(
    *, reason: Reason = None, here: Here = False, wait: Wait = None, as_json: AsJson = False
) -> None:
    """Stop all traffic to hosted providers, calls under way included. Local ones go on."""
    _set("stopped", reason, here=here, wait=wait, as_json=as_json)


@app.command()
def allow(
    *, reason: Reason = None, here: Here = False, wait: Wait = None, as_json: AsJson = False
) -> None:
    """Allow traffic to hosted providers again; needs a reason."""
    _set("allowed", reason, here=here, wait=wait, as_json=as_json)


def _set(
    state: HostedState, reason: str | None, *, here: bool, wait: float | None, as_json: bool
) -> None:
    from aurorasoc.llm.changes.requests import HostedTrafficRequest  # noqa: PLC0415 - costs time

    if state == "allowed" and reason is None:
        detail = "--reason is needed to allow hosted traffic again."
        raise InvalidInput(detail)
    requested = checked(lambda: HostedTrafficRequest(state=state, reason=reason))
    if not here:
        make_change(
            lambda runtime: _everywhere(runtime, requested),
            wait=wait,
            as_json=as_json,
            already=lambda snapshot: _already(snapshot, requested),
        )
        return
    if wait is not None:
        detail = "--wait asks the database, which --here does without. Use one of them."
        raise InvalidInput(detail)
    _here(requested, as_json=as_json)


async def _everywhere(
    runtime: Runtime, requested: HostedTrafficRequest
) -> tuple[MutationAnswer, list[str]]:
    answer = await runtime.admin.set_hosted_traffic(requested, actor=operator())
    snapshot = runtime.adoption.snapshot
    if requested.state == "stopped":
        return answer, ["Hosted traffic is stopped. Local connections go on."]
    lines = ["Hosted traffic is allowed."]
    if snapshot.stopped_here is not None:
        how = "`aurorasoc hosted allow --here --reason …` removes it"
        lines.append(f"A file on this host still stops it here: {how}.")
    return answer, lines


def _already(snapshot: Snapshot, requested: HostedTrafficRequest) -> str:
    """Say whose state holds, and where the reason went that was given now."""
    from aurorasoc.granite.hosted_stop import said_by  # noqa: PLC0415 - costs time

    now = snapshot.hosted_traffic
    kept = " The reason given now is in the audit log." if requested.reason else ""
    return f"Nothing changed: hosted traffic was {now.state} already{said_by(now)}.{kept}"


def _here(requested: HostedTrafficRequest, *, as_json: bool) -> None:
    """Make or remove this host's file; the processes see it within half a second."""
    from aurorasoc.config.settings import state_folder  # noqa: PLC0415 - costs time

    folder = state_folder()
    try:
        changed = _change_file(folder, requested)
    except OSError as error:
        detail = f"{folder} can't be written ({error.strerror}). Run this as the service's user."
        raise ConfigurationError(detail) from None
    if as_json:
        say_json({"state": requested.state, "folder": str(folder), "changed": changed})
        return
    word = "stopped" if requested.state == "stopped" else "allowed"
    said = f"is {word} now" if changed else f"was {word} already"
    say(f"Hosted traffic of the processes on this host with the state folder {folder} {said}.")


def _change_file(folder: Path, requested: HostedTrafficRequest) -> bool:
    from aurorasoc.config.hosted_traffic import HostedTraffic  # noqa: PLC0415 - costs time
    from aurorasoc.core.clock import iso, now_us  # noqa: PLC0415 - with it
    from aurorasoc.llm.adoption.stop_file import make_stop, remove_stop  # noqa: PLC0415 - with it

    by, since = f"{operator()}@{socket.gethostname()}", iso(now_us())
    if requested.state == "stopped":
        return make_stop(folder, HostedTraffic("stopped", since, by, requested.reason))
    return remove_stop(folder, by=by, reason=requested.reason or "", since=since)

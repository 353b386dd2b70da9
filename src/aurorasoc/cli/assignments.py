"""`aurorasoc assignments show|set`: who uses which connection and model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aurorasoc.agents.registry import AGENTS
from aurorasoc.cli.arguments import checked, fallbacks_option, names_in, pairs, sent
from aurorasoc.cli.changes import Wait, make_change
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.config.assignments import Assignment, Assignments
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

FORM: Final = "CONNECTION[:MODEL]; an empty value goes back to the active connection"
"""What an option of an assignment takes behind `NAME=`."""

app = typer.Typer(help="Who uses another connection than the active one.", no_args_is_help=True)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print which roles and agents have a connection of their own."""
    inventory = in_runtime(lambda runtime: runtime.admin.inventory())
    if as_json:
        say_json(inventory.assignments)
        return
    rows = list(_rows(inventory.assignments))
    for line in table(("WHO", "NAME", "CONNECTION", "MODEL", "FALLBACKS"), rows) if rows else ():
        say(line)
    others = "Everyone else uses" if rows else "Everyone uses"
    say(f"{others} the active connection: {inventory.active.backend}.")


@app.command("set")
def set_(
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=CONNECTION[:MODEL]", help="specialist or orchestrator; repeatable."
        ),
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=CONNECTION[:MODEL]", help="An agent; repeatable."),
    ] = None,
    fallbacks: Annotated[
        str | None,
        fallbacks_option(
            "Who is asked after those that are named here; empty: nobody. Without it, the policy's."
        ),
    ] = None,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Change what roles and agents use; others keep theirs. NAME= goes back to the active one."""
    roles, agents = pairs("--role", role, f"ROLE={FORM}"), pairs("--agent", agent, f"NAME={FORM}")
    if not (roles or agents):
        detail = "Nothing to change: name a --role or an --agent."
        raise InvalidInput(detail)
    from aurorasoc.llm.changes import connection_edits  # noqa: PLC0415 - SQLAlchemy costs time
    from aurorasoc.llm.changes.requests import AssignmentsRequest  # noqa: PLC0415 - with it

    names = names_in(fallbacks)
    if names is not None and not any((*roles.values(), *agents.values())):
        detail = "--fallbacks needs a --role or an --agent with a connection."
        raise InvalidInput(detail)
    body = {"roles": assigned(roles, names), "agents": assigned(agents, names)}
    requested = checked(lambda: AssignmentsRequest.model_validate(body))
    change = connection_edits.assign(requested)
    lines = [_line("role", *one, names) for one in roles.items()]
    lines += [_line("agent", *one, names) for one in agents.items()]

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        return await runtime.admin.change(change, actor=operator()), lines

    make_change(work, wait=wait, as_json=as_json)


def assigned(
    texts: Mapping[str, str | None], fallbacks: list[str] | None = None
) -> dict[str, dict[str, Any] | None]:
    """Return assignments as REST takes them. A model's name may hold colons, a connection's not."""
    return {
        who: None if text is None else sent(**_assignment(text), fallbacks=fallbacks)
        for who, text in texts.items()
    }


def _assignment(text: str) -> dict[str, str]:
    connection, colon, model = text.partition(":")
    return {"connection": connection, "model": model} if colon else {"connection": connection}


def _line(kind: str, name: str, text: str | None, fallbacks: list[str] | None) -> str:
    if text is None:
        return f"{kind} {name}: the active connection again"
    is_known = kind == "role" or name in AGENTS
    unknown = "" if is_known else "; `agent list` has none of that name, but a program may"
    after = "" if fallbacks is None else f", fallbacks {', '.join(fallbacks) or 'none'}"
    return f"{kind} {name}: assigned to {text}{after}{unknown}"


def _rows(assignments: Assignments) -> Iterator[tuple[str, str, str, str, str]]:
    for kind, assigned in (("role", assignments.roles), ("agent", assignments.agents)):
        for name, one in assigned.items():
            yield kind, name, one.connection, one.model or "its own for the role", _after(one)


def _after(one: Assignment) -> str:
    if one.fallbacks is None:
        return "the policy's"
    return ", ".join(one.fallbacks) or "none"

"""`aurorasoc policy explain`: where a label may go, and why, now or as planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurorasoc.cli.arguments import (
    LABELS,
    Fallbacks,
    HostedMaxTlp,
    LocalBackend,
    OnRefusalOption,
    RequireTlp,
    checked,
    label_option,
    names_in,
    pairs,
    sent,
    tlp_of,
)
from aurorasoc.cli.assignments import FORM, assigned
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.config.vocabulary import Role, Tlp
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.granite.explain import Explanation
    from aurorasoc.runtime import Runtime


def explain(  # noqa: PLR0913 - one parameter for each option
    *,
    tlp: Annotated[
        Tlp | None,
        label_option("A label; without it, a table of all labels and connections."),
    ] = None,
    role: Annotated[Role, typer.Option(help="The role that asks.")] = "specialist",
    agent: Annotated[str | None, typer.Option(help="The agent that asks.")] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="CONNECTION", help="Planned: the active connection.")
    ] = None,
    hosted_max_tlp: HostedMaxTlp = None,
    local_backend: LocalBackend = None,
    require_tlp: RequireTlp = None,
    fallbacks: Fallbacks = None,
    on_refusal: OnRefusalOption = None,
    max_tlp: Annotated[
        list[str] | None,
        typer.Option(metavar="CONNECTION=TLP", help="Planned: a ceiling of its own; repeatable."),
    ] = None,
    assign_role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=CONNECTION[:MODEL]", help="Planned: a role's; repeatable."),
    ] = None,
    assign_agent: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=CONNECTION[:MODEL]", help="Planned: an agent's; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say who answers a label, and why. Nobody is called.

    Connections are listed in the order in which they are asked, with those that aren't asked, and
    those that may not have the label.

    With another policy, ceiling, assignment or active connection, it is said of the configuration
    as that would leave it; nothing is changed.
    """
    policy = sent(
        hosted_max_tlp=hosted_max_tlp,
        local_backend=local_backend,
        require_tlp=require_tlp,
        fallbacks=names_in(fallbacks),
        on_refusal=on_refusal,
    )
    ceilings = pairs("--max-tlp", max_tlp, "CONNECTION=TLP; an empty TLP is the policy's ceiling")
    planned = sent(
        provider=provider,
        policy=policy or None,
        assignments=_assignments(assign_role, assign_agent),
        connections=_ceilings(ceilings),
    )
    labels = (None, *LABELS) if tlp is None else (tlp,)
    asked = in_runtime(lambda runtime: _explained(runtime, labels, role, agent, planned))
    if tlp is None:
        _say_table(asked, as_json=as_json)
    else:
        _say_one(tlp, asked[tlp], as_json=as_json)


async def _explained(
    runtime: Runtime,
    labels: tuple[Tlp | None, ...],
    role: Role,
    agent: str | None,
    planned: dict[str, Any],
) -> dict[Tlp | None, Explanation]:
    from aurorasoc.api.schemas import ExplainBody  # noqa: PLC0415 - the same rules as over REST

    body = {"role": role, "agent": agent, "planned": planned or None}
    requested = checked(lambda: ExplainBody.model_validate(body))
    return {
        label: await runtime.admin.explain(
            label, role=requested.role, agent=requested.agent, planned=requested.planned
        )
        for label in labels
    }


def _assignments(
    roles: list[str] | None, agents: list[str] | None
) -> dict[str, dict[str, Any]] | None:
    assignments = {
        "roles": assigned(pairs("--assign-role", roles, f"ROLE={FORM}")),
        "agents": assigned(pairs("--assign-agent", agents, f"NAME={FORM}")),
    }
    return assignments if any(assignments.values()) else None


def _ceilings(texts: Mapping[str, str | None]) -> dict[str, dict[str, Any]] | None:
    try:
        return {name: {"max_tlp": text and tlp_of(text)} for name, text in texts.items()} or None
    except typer.BadParameter as error:
        detail = f"--max-tlp: {error.message}."
        raise InvalidInput(detail) from None


def _say_one(tlp: Tlp, explanation: Explanation, *, as_json: bool) -> None:
    if as_json:
        say_json(explanation)
        return
    say(_answer(tlp, explanation))
    rows = [
        *(
            (one.connection, "only while local" if one.local else "yes", one.why)
            for one in explanation.allowed
        ),
        *((one.connection, "no", one.why) for one in explanation.refused),
    ]
    for line in table(("CONNECTION", "ALLOWED", "WHY"), rows):
        say(line)


def _say_table(asked: Mapping[Tlp | None, Explanation], *, as_json: bool) -> None:
    if as_json:
        say_json([{"tlp": tlp, **asdict(explanation)} for tlp, explanation in asked.items()])
        return
    columns = [_cells(explanation) for explanation in asked.values()]
    rows = [(name, *(column[name] for column in columns)) for name in sorted(columns[0])]
    header = ("CONNECTION", *(tlp or "unlabelled" for tlp in asked))
    for line in table(header, rows):
        say(line)
    say("* answers; 1, 2…: asked after a failure; local: only while it is shown to be local.")
    for detail, labels in _unanswered(asked).items():
        say(f"{', '.join(labels)}: nobody answers. {detail}")


def _unanswered(asked: Mapping[Tlp | None, Explanation]) -> dict[str, list[str]]:
    """Return why nobody answers, with the labels that it holds for."""
    labels: dict[str, list[str]] = {}
    for tlp, explanation in asked.items():
        if explanation.problem is not None:
            labels.setdefault(explanation.problem.detail, []).append(tlp or "unlabelled")
    return labels


def _cells(explanation: Explanation) -> dict[str, str]:
    """Return each connection's cell of one label."""
    cells = {one.connection: "no" for one in explanation.refused}
    places = {name: f" {place}" for place, name in enumerate(explanation.fallbacks, 1)}
    for one in explanation.allowed:
        mark = "*" if one.connection == explanation.answers else places.get(one.connection, "")
        cells[one.connection] = f"{'local' if one.local else 'yes'}{mark}"
    return cells


def _answer(tlp: Tlp, explanation: Explanation) -> str:
    """Say who answers a label; or that nobody does, and why."""
    if explanation.problem is not None:
        return f"{tlp}: nobody answers. {explanation.problem.detail}"
    return f"{tlp}: {explanation.answers} answers with {explanation.model}."

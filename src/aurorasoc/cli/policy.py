"""`aurorasoc policy show|set|explain`: where labelled data may go, and who is asked after whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurorasoc.cli.arguments import (
    Fallbacks,
    HostedMaxTlp,
    LocalBackend,
    OnRefusalOption,
    RequireTlp,
    checked,
    names_in,
    sent,
)
from aurorasoc.cli.changes import Wait, make_change
from aurorasoc.cli.consent import Consent, Yes, with_consent
from aurorasoc.cli.explain import explain
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.config.snapshot import Policy, Sourced
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Where labelled data may go.", no_args_is_help=True)
app.command("explain")(explain)


class Unset(StrEnum):
    """What goes back to the boot default. The values are the options' names."""

    HOSTED_MAX_TLP = "hosted-max-tlp"
    LOCAL_BACKEND = "local-backend"
    REQUIRE_TLP = "require-tlp"
    FALLBACKS = "fallbacks"
    ON_REFUSAL = "on-refusal"

    @property
    def field(self) -> str:
        """The field of a request."""
        return self.value.replace("-", "_")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the policy in force, and where each value comes from."""

    async def work(runtime: Runtime) -> tuple[Policy, Any]:
        return runtime.adoption.snapshot.policy, (await runtime.admin.inventory()).policy

    policy, view = in_runtime(work)
    if as_json:
        say_json(view)
        return
    rows = [(name, _in_words(name, its), its.source) for name, its in _values(policy)]
    for line in table(("POLICY", "VALUE", "SOURCE"), rows):
        say(line)
    for warning in view.warnings:
        say(warning.detail)


@app.command("set")
def set_(  # noqa: PLR0913 - one parameter for each option
    *,
    hosted_max_tlp: HostedMaxTlp = None,
    local_backend: LocalBackend = None,
    require_tlp: RequireTlp = None,
    fallbacks: Fallbacks = None,
    on_refusal: OnRefusalOption = None,
    unset: Annotated[
        list[Unset] | None,
        typer.Option(metavar="|".join(Unset), help="Back to the boot default; repeatable."),
    ] = None,
    yes: Yes = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Change the policy; what isn't named stays as it is.

    What lets data go where it may not go now is said, and asked for.
    """
    values = sent(
        hosted_max_tlp=hosted_max_tlp,
        local_backend=local_backend,
        require_tlp=require_tlp,
        fallbacks=names_in(fallbacks),
        on_refusal=on_refusal,
    )
    gone = {one.field: None for one in unset or ()}
    if not (values or gone):
        detail = "Nothing to change: name what to set, such as --hosted-max-tlp, or to --unset."
        raise InvalidInput(detail)
    if values.keys() & gone.keys():
        detail = "--unset and a new value of the same exclude each other."
        raise InvalidInput(detail)
    body = {**values, **gone}
    with_consent(
        lambda consent: make_change(
            lambda runtime: _set(runtime, body, consent), wait=wait, as_json=as_json
        ),
        yes=yes,
    )


async def _set(
    runtime: Runtime, body: dict[str, Any], consent: Consent
) -> tuple[MutationAnswer, list[str]]:
    """Make the change, and say what it was, a line for each value."""
    from aurorasoc.llm.changes import edits  # noqa: PLC0415 - SQLAlchemy costs time
    from aurorasoc.llm.changes.requests import PolicyRequest  # noqa: PLC0415 - with it

    requested = checked(lambda: PolicyRequest.model_validate(body))
    before = dict(_values(runtime.adoption.snapshot.policy))
    change = edits.set_policy(requested)
    shown = await consent.to_widen(runtime, change)
    answer = await runtime.admin.change(change, actor=operator(), if_match=shown)
    lines = []
    for name, value in _values(runtime.adoption.snapshot.policy):
        if name.replace("-", "_") in body:
            lines.append(f"{name}: {_in_words(name, before[name])} -> {_in_words(name, value)}")
    return answer, lines


def _values(policy: Policy) -> Iterator[tuple[str, Sourced[Any]]]:
    """Yield each value by the name of its option."""
    for field in fields(policy):
        yield field.name.replace("_", "-"), getattr(policy, field.name)


def _in_words(name: str, value: Sourced[Any]) -> str:
    from aurorasoc.llm.changes.in_words import value_in_words  # noqa: PLC0415 - SQLAlchemy costs time

    return value_in_words(name, value.value)

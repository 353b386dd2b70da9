"""List all connections: `aurorasoc connections list`, and `providers list`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.model_facts import in_words
from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.errors import HostedStopped

if TYPE_CHECKING:
    from aurorasoc.config.call_options import CallOptions
    from aurorasoc.llm.inventory import ConnectionView, Inventory
    from aurorasoc.runtime import Runtime

_HEADER: Final = (
    " ",
    "CONNECTION",
    "PROVIDER",
    "STATE",
    "KEY",
    "MAX TLP",
    "SOURCE",
    "MODEL",
    "ADDRESS",
)


def list_connections(as_json: AsJson = False) -> None:
    """List all connections. The active one is marked; below each stands what its models are."""
    inventory = in_runtime(inventory_of_fleet)
    if as_json:
        say_json(inventory)
        return
    say(f"revision {inventory.revision}, active: {inventory.active.backend}")
    if inventory.hosted_traffic.state == "stopped":
        say("Hosted traffic is stopped. `aurorasoc doctor` says by whom, and how to allow it.")
    header, *lines = table(_HEADER, map(_cells, inventory.providers))
    say(header)
    for line, row in zip(lines, inventory.providers, strict=True):
        say(line)
        for detail in _details(row):
            say(f"    {detail}")


async def inventory_of_fleet(runtime: Runtime) -> Inventory:
    """Return the inventory with what the live processes say of their calls."""
    reports = await runtime.fleet.reports_of_health()
    runtime.admin.ledger.health.hear(reports.texts, reports.processes)
    return await runtime.admin.inventory()


def _state(row: ConnectionView) -> str:
    """Say whether a connection answers; a problem keeps it from being called at all."""
    if row.problems:
        return row.problems[0].code
    if is_stopped(row):
        return "stopped"
    health = row.health
    match health.state:
        case "open" | "probing":
            return f"not asked{health.where}: {health.code}"
        case "failing":
            return f"failing: {health.code}"
        case "ok":
            return f"answering, not asked{health.where}" if health.where else "answering"
        case _:
            return "not called yet"


def is_stopped(row: ConnectionView) -> bool:
    """Whether a stop of hosted traffic refuses its calls."""
    return any(warning.code == HostedStopped.code for warning in row.warnings)


def _cells(row: ConnectionView) -> tuple[str | None, ...]:
    return (
        "*" if row.active else " ",
        row.connection,
        row.provider,
        _state(row),
        row.key_state if row.needs_key or row.key_present else None,
        row.max_tlp or "policy",
        row.source,
        row.model,
        row.base_url,
    )


def _details(row: ConnectionView) -> Iterator[str]:
    """Yield what else is set, what is known of the models, and what is to be said of them."""
    if row.orchestrator_model != row.model:
        yield f"orchestrator: {row.orchestrator_model}"
    options = _options(row.options)
    if options:
        yield f"options: {options}"
    facts = {row.model: row.model_facts, row.orchestrator_model: row.orchestrator_model_facts}
    for model, known in facts.items():
        words = in_words(known)
        if words:
            yield f"{model}: {words}"
    if declined := row.refusals.refused + row.refusals.blocked:
        yield f"declined {declined} of {row.refusals.calls} calls since {row.refusals.since}"
    for notice in row.problems + row.warnings:
        if notice.code in {"model_retired", "model_retires"}:
            yield notice.detail


def _options(options: CallOptions) -> str:
    plain = options.as_json()
    headers = plain.pop("headers", {})
    parts = [f"{name}={value}" for name, value in plain.items()]
    parts += [f"header {name}={value}" for name, value in headers.items()]
    return ", ".join(parts)

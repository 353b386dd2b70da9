"""`aurorasoc agent list|serve`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Annotated

import typer

from aurorasoc.agents.registry import AGENTS, AgentDefinition, definition_of
from aurorasoc.cli.arguments import label_option
from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.config.settings import load_settings
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.logs import configure_logging

app = typer.Typer(help="List the SOC's agents, or serve one over A2A.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the agents."""
    if as_json:
        say_json([_row(agent) for agent in AGENTS.values()])
        return
    rows = [(agent.name, str(agent.port), agent.description) for agent in AGENTS.values()]
    for line in table(("NAME", "PORT", "DESCRIPTION"), rows):
        say(line)


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help="An agent, as `aurorasoc agent list` names them.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; the agent's own unless given.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Public URL for its agent card.")] = None,
    tlp: Annotated[Tlp | None, label_option("The label of the data that it will receive.")] = None,
) -> None:
    """Serve an agent over A2A until SIGTERM or Ctrl-C. Beyond loopback, callers need a token."""
    definition = definition_of(name)
    configure_logging(load_settings().server.log_form)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises it again once it is done
    from uvicorn.loops.auto import auto_loop_factory  # noqa: PLC0415 - what refuses needs no server

    from aurorasoc.a2a import server  # noqa: PLC0415 - BeeAI costs seconds

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:  # uvloop, where it is there
        runner.run(
            server.serve(
                name,
                host,
                definition.port if port is None else port,
                url=url,
                tlp=tlp and tlp.value,
            )
        )


def _row(agent: AgentDefinition) -> dict[str, object]:
    return {
        "name": agent.name,
        "port": agent.port,
        "role": agent.role,
        "description": agent.description,
        "tags": list(agent.tags),
        "skills": [{"id": skill.id, "name": skill.name} for skill in agent.skills],
    }

"""The command line. Exit codes: 0 success, 1 bad result, 2 wrong usage or configuration."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final

import typer
from typer.exceptions import TyperException

from aurorasoc.cli import (
    agent,
    assignments,
    audit,
    budgets,
    clients,
    connections,
    fleet,
    history,
    hosted,
    investigate,
    key,
    keys,
    local_model,
    policy,
    providers,
    serve,
    token,
    usage,
)
from aurorasoc.cli.arguments import by_options
from aurorasoc.cli.dev import command
from aurorasoc.cli.doctor.command import doctor
from aurorasoc.cli.output import say
from aurorasoc.cli.rollback import rollback
from aurorasoc.config.validation import rule_of
from aurorasoc.core.logs import write_short_to_a_terminal
from aurorasoc.errors import AuroraError, ModelCallError


def _as_option(name: str) -> str:
    """Return the name of an option, command or choice for that of a field, as REST has it."""
    return name.replace("_", "-")


app = typer.Typer(
    name="aurorasoc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"token_normalize_func": _as_option},
)


def _say_version(asked: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - costs time

        say(f"aurorasoc {version('aurorasoc')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version, and exit."
        ),
    ] = False,
) -> None:
    """Run a SOC's AI agents on local or hosted models, and switch while they work."""


app.command("dev")(command.dev)
app.command("investigate")(investigate.investigate)
app.command("doctor")(doctor)
app.command("fleet")(fleet.fleet)
app.command("models")(providers.models)
app.command("usage")(usage.usage)
app.command("rollback")(rollback)
app.command("reset")(history.reset)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate)
app.add_typer(agent.app, name="agent")
app.add_typer(token.app, name="token")
app.add_typer(clients.app, name="clients")
app.add_typer(connections.app, name="connections")
app.add_typer(assignments.app, name="assignments")
app.add_typer(budgets.app, name="budgets")
app.add_typer(policy.app, name="policy")
app.add_typer(history.app, name="history")
app.add_typer(hosted.app, name="hosted")
app.add_typer(providers.app, name="providers")
app.add_typer(key.app, name="key")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(local_model.app, name="local-model")

_CHOICE: Final = re.compile(r"Value error, '.*' is not one of", re.DOTALL)
"""How a value that isn't among an option's choices is refused; the value isn't repeated."""


@cache
def _commands() -> Callable[..., Any]:
    """Build what `app` describes, once in a process: it takes a tenth of a second."""
    return typer.main.get_command(app)


def main() -> None:
    """Run a command; an error is one line, never a traceback."""
    write_short_to_a_terminal()
    try:
        sys.exit(_commands()(standalone_mode=False) or 0)
    except AuroraError as error:
        sys.stderr.write(f"aurorasoc: {by_options(error.detail)}\n")
        sys.exit(_exit_code(error))
    except TyperException as error:
        _show(error)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)


def _show(error: TyperException) -> None:
    """Print a usage error. An unexpected argument may be a key, so it isn't repeated."""
    sentence = error.format_message()
    if sentence.startswith("Usage:"):  # a group alone, which shows what it has
        sys.stderr.write(f"{sentence}\n")
    elif "unexpected extra argument" in str(error):
        sys.stderr.write("aurorasoc: too many arguments; a key is read from standard input.\n")
    else:
        sentence = rule_of(sentence).replace("Input should be", "must be")
        sentence = _CHOICE.sub("must be one of", sentence)
        sys.stderr.write(f"aurorasoc: {sentence.rstrip('.')}.\n")


def _exit_code(error: AuroraError) -> int:
    return 1 if isinstance(error, ModelCallError) else 2

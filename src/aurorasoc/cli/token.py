"""`aurorasoc token create`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from aurorasoc.cli.output import say
from aurorasoc.config.settings import load_settings
from aurorasoc.core.access.permissions import ROLE_PERMISSIONS
from aurorasoc.core.access.tokens import create_token
from aurorasoc.errors import InvalidInput

app = typer.Typer(help="Bearer tokens for first runs and scripts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Bearer tokens for first runs and scripts."""


@app.command()
def create(
    subject: Annotated[str, typer.Argument(help="Goes into the audit log.")] = "admin",
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(ROLE_PERMISSIONS), help="A role; repeatable."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=8760, help="How long it is valid.")] = 12,
) -> None:
    """Print a token signed with JWT_SECRET_KEY."""
    roles = role or ["admin"]
    unknown = sorted(set(roles) - set(ROLE_PERMISSIONS))
    if unknown:
        detail = f"There is no role {unknown[0]}. Known roles: {', '.join(ROLE_PERMISSIONS)}."
        raise InvalidInput(detail)
    settings = load_settings().security
    say(create_token(subject, roles=roles, lifetime=timedelta(hours=hours), settings=settings))

"""`aurorasoc doctor`: check an installation from its environment to its fleet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import typer

from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.config.settings import Settings, load_settings

if TYPE_CHECKING:
    from aurorasoc.cli.doctor.finding import Finding


def doctor(as_json: AsJson = False) -> None:
    """Check the installation, and say what to do.

    That is: configuration, state folder, database, rights, keys, Vault, connections and fleet.
    Exits with 1 when something is wrong, and with 2 when wrong configuration keeps it from looking.
    """
    settings = load_settings()
    findings = asyncio.run(_examine(settings, live=not as_json))
    if as_json:
        say_json(findings)
    if not all(finding.healthy for finding in findings):
        raise typer.Exit(1)


async def _examine(settings: Settings, *, live: bool) -> list[Finding]:
    """Return all findings; `live` prints each at once, as some take seconds."""
    findings = []
    async for finding in _checks(settings):
        findings.append(finding)
        if live:
            say(finding.line)
    return findings


async def _checks(settings: Settings) -> AsyncIterator[Finding]:
    """Check one thing after the other, up to what keeps the next from being checked.

    Raises:
        ConfigurationError: The environment is wrong.
    """
    from aurorasoc.cli.doctor import environment  # noqa: PLC0415 - with what follows
    from aurorasoc.cli.doctor.database import database_findings  # noqa: PLC0415 - SQLAlchemy
    from aurorasoc.cli.doctor.finding import good, wrong  # noqa: PLC0415 - with them
    from aurorasoc.cli.doctor.running import running_findings  # noqa: PLC0415 - SQLAlchemy
    from aurorasoc.core.keyring import Keyring  # noqa: PLC0415 - with it
    from aurorasoc.core.open_store import open_secret_store  # noqa: PLC0415 - with it
    from aurorasoc.errors import AuroraError, ConfigurationError  # noqa: PLC0415 - with them
    from aurorasoc.llm.adoption.compose import check_boot_defaults  # noqa: PLC0415 - with it

    check_boot_defaults(settings)
    open_secret_store(settings, Keyring(())).close()
    yield good("configuration", f"{len(settings.connections)} connections")
    yield environment.state_folder(settings.server.state_dir)
    yield environment.session_secret(settings.security)
    yield environment.seeds(settings.security)
    try:
        async for finding in database_findings(settings.database_url):
            yield finding
        if not finding.healthy:
            return
        async for finding in running_findings(settings):
            yield finding
    except ConfigurationError:
        raise
    except AuroraError as error:
        yield wrong("database", "went away meanwhile", error.detail)

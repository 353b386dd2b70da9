"""`aurorasoc keys rotate|migrate|doctor`: the seeds, and the keys that they seal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.config.settings import load_settings
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Rotate seeds, and check stored keys.", no_args_is_help=True)


@app.command()
def rotate(
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Re-encrypt everything under AURORA_SECRET_KEY.

    That is what an older seed sealed. A killed run loses nothing; run it again. Exits with 1
    when no seed here opens something that is stored, and with 2 while a live process lacks the
    new seed.
    """
    from aurorasoc.llm.fleet.registry import require_seed_everywhere  # noqa: PLC0415 - the same
    from aurorasoc.llm.keys.rotation import Rotation, survey  # noqa: PLC0415 - SQLAlchemy costs time

    async def work(runtime: Runtime) -> tuple[list[dict[str, str]], bool]:
        await require_seed_everywhere(runtime.database, runtime.keyring)
        rotation = Rotation(runtime.database, runtime.keyring, runtime.audit, operator())
        before = await survey(runtime.database, runtime.keyring)
        todo = [item for item in before if item.standing == "older seed"]
        done = todo if check else await rotation.rotate()
        return [asdict(i) for i in done], any(i.standing == "unreadable" for i in before)

    items, unreadable = in_runtime(work)
    if as_json:
        say_json({"checked_only": check, "items": items, "unreadable": unreadable})
    else:
        verb = "would be sealed" if check else "sealed"
        for item in items:
            say(f"{item['kind']} {item['name']}: {verb} under the current seed")
        say(f"{len(items)} {verb}." if items else "Nothing is sealed under an older seed.")
        if unreadable:
            say("No seed here opens some stored items: see `aurorasoc keys doctor`.")
    if unreadable:
        raise typer.Exit(1)


@app.command()
def migrate(
    to: Annotated[str, typer.Option(metavar="vault", help="Where to.")],
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move keys from the database into Vault.

    Vault must be the configured store. A killed run loses nothing; run it again. Exits with 1 when
    a key can't be moved.
    """
    from aurorasoc.llm.keys.migration import move_to_vault, stranded_keys  # noqa: PLC0415 - SQLAlchemy

    if to != "vault" or load_settings().vault.addr is None:
        detail = "Keys can be moved --to vault only, with VAULT_ADDR set."
        raise InvalidInput(detail)

    async def work(runtime: Runtime) -> list[dict[str, str]]:
        changer, done = runtime.admin.changer, []
        for stranded in await stranded_keys(changer, runtime.keyring):
            state = "unreadable"
            if stranded.key is not None:
                state = "would be moved" if check else "moved"
                if not check:
                    await move_to_vault(changer, stranded, actor=operator())
            done.append({"provider": stranded.connection, "state": state})
        return done

    items = in_runtime(work)
    if as_json:
        say_json(items)
    else:
        for item in items:
            say(f"{item['provider']}: {item['state']}")
        if not items:
            say("No key is sealed in the database.")
    if any(item["state"] == "unreadable" for item in items):
        raise typer.Exit(1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Print the state of each stored key and audit key, and what to do.

    Exits with 1 when there is something to do.
    """
    from aurorasoc.llm.keys.doctor import examine  # noqa: PLC0415 - SQLAlchemy costs time

    findings = in_runtime(
        lambda runtime: examine(
            runtime.database,
            runtime.keyring,
            runtime.adoption,
            runtime.settings.llm.key_max_age,
        )
    )
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        for f in findings:
            say(f"{f.kind} {f.name}: {f.state}; {f.advice}")
        if not findings:
            say("No key is stored, and the environment holds none.")
    if any(not f.healthy for f in findings):
        raise typer.Exit(1)

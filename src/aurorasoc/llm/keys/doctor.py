"""The state of every key, wherever it is stored, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from aurorasoc.config.clients import ClientConfig
from aurorasoc.config.snapshot import ConnectionConfig, Problem
from aurorasoc.config.vocabulary import ConnectionName, is_connection_name
from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow, KeyIntentRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.client import problem_of
from aurorasoc.llm.adoption.key_age import age_warning
from aurorasoc.llm.keys.rotation import SealedItem, Standing, survey


@dataclass(frozen=True, slots=True)
class Finding:
    """One key, its state, and what to do.

    Attributes:
        kind: `credential`, `audit key`, `client` or `unsettled intent`.
        name: The connection, the audit key's id, or the machine client.
        state: Its state, in a few words.
        advice: What to do; `nothing to do` for a healthy one.
    """

    kind: str
    name: str
    state: str
    advice: str
    healthy: bool


_NOTHING: Final = "nothing to do"
_ADVICE: Final[dict[Standing, str]] = {
    "current": _NOTHING,
    "older seed": (
        "run `aurorasoc keys rotate`, and until then keep the seed where it is "
        "(AURORA_SECRET_KEY_PREVIOUS, or JWT_SECRET_KEY)"
    ),
    "unreadable": (
        "restore its seed in AURORA_SECRET_KEY_PREVIOUS; until then only the links of its audit "
        "entries are checked"
    ),
}
"""For audit keys; an unreadable credential has its own advice."""


async def examine(
    database: Database, keyring: Keyring, adoption: Adoption, max_age: float | None = None
) -> list[Finding]:
    """Check every key that is in force or stored. Nothing is changed.

    Args:
        database: Holds the sealed keys, and the changes under way.
        keyring: The seeds that open them.
        adoption: Holds the keys in force.
        max_age: `LLM_KEY_MAX_AGE` in seconds; None means that no key is too old.

    Raises:
        DatabaseUnavailable: The rows can't be read.
    """
    sealed = {(item.kind, item.name): item for item in await survey(database, keyring)}
    findings = [
        _of_connection(
            config,
            sealed.get(("credential", name)),
            age_warning(config, max_age, now_us()),
        )
        for name, config in adoption.snapshot.connections.items()
        if config.credential.state != "absent"
    ]
    findings += [_of_sealed(item) for item in sealed.values() if item.kind == "audit key"]
    clients = adoption.snapshot.clients
    findings += [_of_client(clients[name], sealed.get(("client", name))) for name in clients]
    async with database.reading() as session:
        rows = (await session.scalars(select(KeyIntentRow))).all()
        keyed = list(await session.scalars(select(CredentialRow.connection)))
    unused = sorted({*filter(is_connection_name, keyed)} - adoption.snapshot.connections.keys())
    findings += [_of_nobody(name) for name in unused]
    return findings + [_of_intent(row) for row in rows]


def _of_connection(
    config: ConnectionConfig, item: SealedItem | None, warning: Problem | None
) -> Finding:
    """Report the most urgent: what keeps a key from being used, its seed, its age."""
    credential, name = config.credential, config.name
    where = f"{credential.state}, from {credential.source}"
    if credential.problem is not None:
        return Finding("credential", name, where, credential.problem.detail, healthy=False)
    if item is not None and (item.standing != "current" or warning is None):
        return _of_sealed(item)
    if warning is not None:
        return Finding("credential", name, f"{where}, too old", warning.detail, healthy=False)
    return Finding("credential", name, where, _NOTHING, healthy=True)


def _of_client(config: ClientConfig, item: SealedItem | None) -> Finding:
    """Report why a client's secret is refused, or the seed of its hashes' key."""
    if config.problem is not None:
        problem = problem_of(config.problem)
        return Finding("client", config.name, problem.code, problem.detail, healthy=False)
    if item is None:  # made since the survey
        return Finding("client", config.name, "known", _NOTHING, healthy=True)
    return _of_sealed(item)


def _of_nobody(name: ConnectionName) -> Finding:
    """Report a key whose connection the environment no longer declares, or declares elsewhere."""
    advice = (
        "no connection of this name exists in this process: declare it here, too, or add one of "
        "this name, which then has the key, and delete it to remove both"
    )
    return Finding("credential", name, "stored for no connection", advice, healthy=False)


def _of_intent(row: KeyIntentRow) -> Finding:
    advice = (
        "it is settled as soon as Vault answers; repeating it with the same key is safe "
        f"(operation {row.operation_id}, begun {iso(row.begun_us)})"
    )
    return Finding("unsettled intent", row.connection, row.kind, advice, healthy=False)


def _of_sealed(item: SealedItem) -> Finding:
    state = "sealed under the current seed" if item.standing == "current" else item.standing
    healthy = item.standing == "current"
    return Finding(item.kind, item.name, state, _ADVICE[item.standing], healthy)

"""The intent of a key change: its row while the change is under way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import inspect

from aurorasoc.config.vocabulary import AUTO, ConnectionName, is_connection_name
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.tables import CredentialRow, KeyIntentRow
from aurorasoc.core.vault.key_version import KeyVersion
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig, is_possible
from aurorasoc.llm.changes.in_words import KeyRecord
from aurorasoc.llm.changes.plan import Plan

SET: Final = "set"
DELETE: Final = "delete"

_STORED: Final = tuple(column.key for column in inspect(KeyIntentRow).column_attrs)


@dataclass(frozen=True, slots=True)
class Intent:
    """A key change under way. It never holds the key itself.

    Attributes:
        operation_id: Also stored with the secret, to recognise each write.
        kind: `set` or `delete`.
        tag: Shows whether a repeated request sends the same key.
        activation: The configuration that waits for the key, as JSON; None if none does.
        taken_up: Whether this repeats an open intent: the key may already be written.
    """

    connection: ConnectionName
    operation_id: str
    kind: str
    origin: str
    last4: str | None
    tag: str
    activation: str | None
    action: Action
    actor: str
    begun_us: int
    taken_up: bool = False

    @classmethod
    def of_row(cls, row: KeyIntentRow) -> Intent:
        """Return the intent in a row.

        A row that no change wrote becomes an intent that changes nothing, so that it is settled.
        """
        values: dict[str, Any] = {name: getattr(row, name) for name in _STORED}
        if row.action in set(Action) and row.kind in {SET, DELETE} and _is_readable(row.activation):
            return cls(**{**values, "action": Action(row.action)})
        unreadable = {"kind": SET, "activation": None, "action": Action.KEY_SET}
        return cls(**values | unreadable)

    def as_row(self) -> KeyIntentRow:
        """Return the row that stores the intent."""
        values = {name: getattr(self, name) for name in _STORED}
        return KeyIntentRow(**values | {"action": self.action.value})

    def event(self, action: Action, **details: Any) -> AuditEvent:
        """Return the audit event of a step of this change."""
        details["operation_id"] = self.operation_id
        waits = self._waits
        if waits is not None and waits.rollback is not None:
            details["to_revision"] = waits.rollback.to_revision
        return AuditEvent(self.actor, action, self.connection, details)

    def is_repeated_by(self, other: Intent) -> bool:
        """Whether the other is the same change: same key or removal, no other configuration."""
        waits = other.activation in {None, self.activation}
        requested = (other.kind, other.origin, other.tag)
        return waits and (self.kind, self.origin, self.tag) == requested

    def made(self, key_version: KeyVersion | None) -> bool:
        """Whether this intent wrote the version."""
        return key_version is not None and key_version.operation_id == self.operation_id

    @property
    def _waits(self) -> _Waiting | None:
        return None if self.activation is None else _WAITING.validate_json(self.activation)

    def fits(self, config: StoredConfig) -> bool:
        """Whether the waiting configuration may replace this one."""
        waits = self._waits
        rollback = None if waits is None else waits.rollback
        return rollback is None or rollback.based_on == config.revision

    def activated(self, config: StoredConfig) -> StoredConfig:
        """Apply the waiting configuration; other connections' changes since then stay."""
        waits = self._waits
        if waits is None:
            return config
        if waits.rollback is not None:
            later = config.standing_over(waits.rollback.config)
            return replace(later, revision=config.revision)
        config = config.with_choice(self.connection, waits.choice)
        return replace(config, backend=waits.backend) if waits.switches else config

    @property
    def key_record(self) -> KeyRecord:
        """What the history says of the key."""
        if self.kind == SET:
            return KeyRecord(key_set=self.connection)
        return KeyRecord(key_removed=self.connection)

    def credential(self, key_version: KeyVersion, at_us: int) -> CredentialRow:
        """Return the row that pins the written version."""
        return CredentialRow(
            connection=self.connection,
            origin=self.origin,
            token=None,
            key_id=None,
            last4=self.last4,
            vault_version=key_version.version,
            operation_id=key_version.operation_id,
            set_by=self.actor,
            set_us=at_us,
        )


@dataclass(frozen=True, slots=True)
class _Rollback:
    """The whole configuration that waits for a key.

    Attributes:
        config: What is restored.
        based_on: The revision that it replaces. Restored over a later one, it would undo a
            change that nobody was shown.
        to_revision: Where it comes from.
    """

    config: StoredConfig
    based_on: int
    to_revision: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The configuration that waits for a key.

    Attributes:
        backend: What will be active, if the change switches.
        choice: The connection's values; empty ones remove it.
        rollback: All that is restored together with the key; None if this isn't a rollback.
    """

    backend: str | None
    choice: ConnectionChoice
    switches: bool = True
    rollback: _Rollback | None = None


_WAITING: Final = TypeAdapter(_Waiting)


def _is_readable(activation: str | None) -> bool:
    try:
        waits = None if activation is None else _WAITING.validate_json(activation)
    except ValidationError:
        return False
    if waits is not None and waits.rollback is not None and not is_possible(waits.rollback.config):
        return False
    return waits is None or waits.backend in {None, AUTO} or is_connection_name(waits.backend)


def waiting(name: ConnectionName, planned: Plan) -> str | None:
    """Return the configuration to activate with the key, as JSON; None if it doesn't change."""
    if not planned.reconfigures:
        return None
    config = planned.edited.config
    to_revision = planned.edited.details.get("to_revision")
    rollback = None
    if to_revision is not None:
        restored = replace(config, clients={})  # no hash is stored twice
        rollback = _Rollback(restored, planned.based_on, to_revision)
    waits = _Waiting(config.backend, config.choice(name), planned.switches, rollback)
    return json.dumps(asdict(waits))

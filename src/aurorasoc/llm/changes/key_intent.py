"""The intent of a key change: its row while the change is under way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from aurorasoc.config.vocabulary import AUTO, ServingBackend
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.tables import CredentialRow, KeyIntentRow
from aurorasoc.core.vault.key_version import KeyVersion
from aurorasoc.llm.adoption.stored import ProviderChoice, StoredConfig
from aurorasoc.llm.changes.plan import Plan

SET: Final = "set"
DELETE: Final = "delete"


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

    provider: ServingBackend
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
        """Return the intent in a row of a known provider.

        A row that no change wrote becomes an intent that changes nothing, so that it is settled.
        """
        values: dict[str, Any] = {c.name: getattr(row, c.name) for c in row.__table__.columns}
        values["provider"] = ServingBackend(row.provider)
        if row.action in set(Action) and row.kind in {SET, DELETE} and _is_readable(row.activation):
            return cls(**{**values, "action": Action(row.action)})
        unreadable = {"kind": SET, "activation": None, "action": Action.KEY_SET}
        return cls(**values | unreadable)

    def as_row(self) -> KeyIntentRow:
        """Return the row that stores the intent."""
        values = {**asdict(self), "provider": self.provider.value, "action": self.action.value}
        del values["taken_up"]
        return KeyIntentRow(**values)

    def event(self, action: Action, **details: Any) -> AuditEvent:
        """Return the audit event of a step of this change."""
        details["operation_id"] = self.operation_id
        return AuditEvent(self.actor, action, self.provider.value, details)

    def is_repeated_by(self, other: Intent) -> bool:
        """Whether the other is the same change: same key or removal, no other configuration."""
        waits = other.activation in {None, self.activation}
        requested = (other.kind, other.origin, other.tag)
        return waits and (self.kind, self.origin, self.tag) == requested

    def made(self, key_version: KeyVersion | None) -> bool:
        """Whether this intent wrote the version."""
        return key_version is not None and key_version.operation_id == self.operation_id

    def activated(self, config: StoredConfig) -> StoredConfig:
        """Apply the waiting configuration; other providers' changes since then stay."""
        if self.activation is None:
            return config
        waits = _WAITING.validate_json(self.activation)
        return replace(config.with_choice(self.provider, waits.choice), backend=waits.backend)

    def credential(self, key_version: KeyVersion, at_us: int) -> CredentialRow:
        """Return the row that pins the written version."""
        return CredentialRow(
            provider=self.provider.value,
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
class _Waiting:
    """The configuration that waits for a key."""

    backend: str | None
    choice: ProviderChoice


_WAITING: Final = TypeAdapter(_Waiting)


def _is_readable(activation: str | None) -> bool:
    try:
        waits = None if activation is None else _WAITING.validate_json(activation)
    except ValidationError:
        return False
    return waits is None or waits.backend in {None, AUTO, *ServingBackend}


def waiting(provider: ServingBackend, planned: Plan) -> str | None:
    """Return the configuration to activate with the key, as JSON; None if it doesn't change."""
    if not planned.reconfigures:
        return None
    config = planned.edited.config
    return json.dumps({"backend": config.backend, "choice": asdict(config.choice(provider))})

"""The intent of a key change, as it stands in its row while the change is under way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from aurorasoc.config.vocabulary import ServingBackend
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
    """A key change under way. The key itself is never in it.

    Attributes:
        operation_id: Stands in the secret too, so that each write is known again.
        kind: `set` or `delete`.
        tag: Tells whether a repeated request brings the same key.
        activation: What waits for the key, as JSON; None: nothing.
        taken_up: Whether this is a repetition: an earlier try may have been written.
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
        """Read it."""
        values: dict[str, Any] = {c.name: getattr(row, c.name) for c in row.__table__.columns}
        provider, action = ServingBackend(row.provider), Action(row.action)
        return cls(**{**values, "provider": provider, "action": action})

    def as_row(self) -> KeyIntentRow:
        """Write it."""
        values = {**asdict(self), "provider": self.provider.value, "action": self.action.value}
        del values["taken_up"]
        return KeyIntentRow(**values)

    def event(self, action: Action, **details: Any) -> AuditEvent:
        """Return what the audit log says of a step of this change."""
        details["operation_id"] = self.operation_id
        return AuditEvent(self.actor, action, self.provider.value, details)

    def is_repeated_by(self, other: Intent) -> bool:
        """Whether the other asks for the same: same key or removal, and nothing else waits."""
        waits = other.activation in {None, self.activation}
        requested = (other.kind, other.origin, other.tag)
        return waits and (self.kind, self.origin, self.tag) == requested

    def made(self, key_version: KeyVersion | None) -> bool:
        """Whether a version is this very write."""
        return key_version is not None and key_version.operation_id == self.operation_id

    def activated(self, config: StoredConfig) -> StoredConfig:
        """Lay what waited over what is in force now; other providers' changes meanwhile stay."""
        if self.activation is None:
            return config
        waits = json.loads(self.activation)
        choice = ProviderChoice(**waits["choice"])
        return replace(config.with_choice(self.provider, choice), backend=waits["backend"])

    def credential(self, key_version: KeyVersion, at_us: int) -> CredentialRow:
        """Return the row that pins what was written."""
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


def waiting(provider: ServingBackend, planned: Plan) -> str | None:
    """Write down what a change will activate together with the key; None: nothing."""
    if not planned.reconfigures:
        return None
    config = planned.edited.config
    return json.dumps({"backend": config.backend, "choice": asdict(config.choice(provider))})

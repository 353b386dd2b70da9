"""A change: a pure edit of the stored state, and the snapshot that results.

The candidate is composed before anything is written, so that a configuration that can't work is
refused without any effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import SecretStr

from aurorasoc.config.snapshot import ABSENT, Credential, Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.secret_store import Stamp
from aurorasoc.errors import Conflict, RevisionMismatch
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.stored import MAX_NAMED, Stored, StoredConfig


@dataclass(frozen=True, slots=True)
class SetKey:
    """Store a key for a connection and the origin that it belongs to."""

    connection: ConnectionName
    origin: str
    api_key: SecretStr


@dataclass(frozen=True, slots=True)
class DeleteKey:
    """Remove a connection's stored key."""

    connection: ConnectionName


KeyEdit = SetKey | DeleteKey

OldKey = Literal["ending", "unused"]
"""Whether runs that began with a replaced key may go on with it, or nothing may."""


@dataclass(frozen=True, slots=True)
class ReplacedKey:
    """A usable key that a change replaces or removes.

    Attributes:
        use: What becomes of it.
        tags: What processes call it.
    """

    use: OldKey
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """The result of an edit.

    Attributes:
        config: The configuration to write.
        key: The key change; None if no key changes.
        details: The audit entry's details; never a key.
    """

    config: StoredConfig
    key: KeyEdit | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A requested change.

    Attributes:
        action: The audit entry's action.
        target: The audit entry's target.
        edit: Returns the new state; may refuse.
        check: Refuses a candidate that can't work.
    """

    action: Action
    target: str
    edit: Callable[[Stored], Edited]
    check: Callable[[Snapshot], None] = lambda _candidate: None


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned change. Nothing is written yet.

    Attributes:
        before: The stored state that it starts from.
        edited: What to write; its configuration has the new revision.
        candidate: The snapshot that will be in force.
        reconfigures: Whether more than a key changes.
        switches: Whether another backend becomes active.
        old_key: The usable key that it replaces or removes; None if there is none.
    """

    before: Stored
    edited: Edited
    candidate: Snapshot
    reconfigures: bool
    switches: bool
    old_key: ReplacedKey | None = None

    @property
    def based_on(self) -> int:
        """The revision that it starts from."""
        return self.before.config.revision

    @property
    def changed(self) -> bool:
        """Whether it changes anything that is stored."""
        return self.candidate.revision != self.based_on


def plan(change: Change, before: Stored, adoption: Adoption, stamp: Stamp) -> Plan:
    """Plan a change.

    Args:
        change: What to change.
        before: The stored state that it starts from.
        adoption: Composes the candidate.
        stamp: Who stores a key, and when, if one is stored.

    Raises:
        Conflict, InvalidInput, NotFound: The change is refused.
    """
    edited = change.edit(before)
    _require_room(edited.config)
    reconfigures = edited.config != before.config
    revision = before.next_revision(changed=reconfigures or edited.key is not None)
    config = replace(edited.config, revision=revision)
    reading = adoption.read_keys(config, before.key_rows)  # a connection may be new, its key old
    credentials = dict(reading.credentials)
    if isinstance(edited.key, SetKey):
        key = edited.key
        credentials[key.connection] = adoption.credential_of(key.origin, key.api_key, stamp)
    elif edited.key is not None:
        credentials.pop(edited.key.connection, None)
    candidate = adoption.compose(config, replace(reading, credentials=credentials))
    change.check(candidate)
    old_key = _old_key(before.snapshot, candidate, edited.key, adoption) if edited.key else None
    switches = config.backend != before.config.backend
    edited = replace(edited, config=config)
    return Plan(before, edited, candidate, reconfigures, switches, old_key)


def _require_room(after: StoredConfig) -> None:
    """Refuse more named connections than are read: to switch, or roll back, adds some, too.

    Raises:
        Conflict: There would be too many.
    """
    if after.named > MAX_NAMED:
        detail = f"{MAX_NAMED} named connections are stored already. Delete one that nobody uses."
        raise Conflict(detail)


def _old_key(
    before: Snapshot, candidate: Snapshot, key: KeyEdit, adoption: Adoption
) -> ReplacedKey | None:
    old, new = _credential(before, key), _credential(candidate, key)
    if old.api_key is None or old.api_key == new.api_key:
        return None
    use: OldKey = "ending" if new.lets_finish(old.api_key, old.source) else "unused"
    return ReplacedKey(use, adoption.tags_of(old.api_key))


def _credential(snapshot: Snapshot, key: KeyEdit) -> Credential:
    config = snapshot.connections.get(key.connection)
    return ABSENT if config is None else config.credential


def require_revision(current: int, if_match: int | None) -> None:
    """Require that a request is based on the current revision (RFC 9110 §13.1.1).

    Raises:
        RevisionMismatch: It is based on another revision.
    """
    if if_match is not None and if_match != current:
        detail = f"The configuration is at revision {current} now. Read it again, then decide."
        raise RevisionMismatch(detail)

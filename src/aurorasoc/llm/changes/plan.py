"""What a change is: a pure edit of what is stored, and the snapshot that it leads to.

The candidate is composed before anything is written, so that a change which leads to a
configuration that can't work is refused while nothing has happened yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import RevisionMismatch
from aurorasoc.llm.adoption.adopt import Adoption, Stored
from aurorasoc.llm.adoption.stored import RuntimeConfig


@dataclass(frozen=True, slots=True)
class SetKey:
    """Store a key for a provider and the origin that it belongs to."""

    provider: ServingBackend
    origin: str
    api_key: SecretStr


@dataclass(frozen=True, slots=True)
class DeleteKey:
    """Remove a provider's stored key."""

    provider: ServingBackend


KeyEdit = SetKey | DeleteKey


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit makes of what is stored.

    Attributes:
        runtime: The configuration to write.
        key: What happens to a key; None: nothing.
        details: What the audit entry says of it; never a key.
    """

    runtime: RuntimeConfig
    key: KeyEdit | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A change that someone asks for.

    Attributes:
        action: The audit entry's action, e.g. `llm.config.changed`.
        target: What it is done to.
        edit: Gives the new state; may refuse.
        check: Refuses a candidate that can't work.
    """

    action: str
    target: str
    edit: Callable[[Stored], Edited]
    check: Callable[[Snapshot], None] = lambda _candidate: None


@dataclass(frozen=True, slots=True)
class Plan:
    """A change, thought through: nothing is written yet.

    Attributes:
        based_on: The revision it was thought through against.
        runtime: The configuration to write, with its revision.
        candidate: The snapshot that will be in force.
        changed: Whether it differs at all from what is stored.
        reconfigures: Whether more than a key changes.
    """

    edited: Edited
    based_on: int
    runtime: RuntimeConfig
    candidate: Snapshot
    changed: bool
    reconfigures: bool


def plan(change: Change, before: Stored, adoption: Adoption) -> Plan:
    """Think a change through.

    Raises:
        Conflict, InvalidInput, NotFound: It is refused.
    """
    edited = change.edit(before)
    reconfigures = edited.runtime != before.runtime
    changed = reconfigures or edited.key is not None
    revision = before.runtime.revision + changed
    runtime = replace(edited.runtime, revision=revision)
    credentials = dict(before.reading.credentials)
    if isinstance(edited.key, SetKey):
        credentials[edited.key.provider] = adoption.credential_of(
            edited.key.origin, edited.key.api_key
        )
    elif edited.key is not None:
        credentials.pop(edited.key.provider, None)
    candidate = adoption.compose(runtime, replace(before.reading, credentials=credentials))
    change.check(candidate)
    return Plan(edited, before.runtime.revision, runtime, candidate, changed, reconfigures)


def require_revision(current: int, if_match: int | None) -> None:
    """Hold a request to the revision it was made against (RFC 9110 §13.1.1).

    Raises:
        RevisionMismatch: It is no longer the current one.
    """
    if if_match is not None and if_match != current:
        detail = f"The configuration is at revision {current} now. Read it again, then decide."
        raise RevisionMismatch(detail)

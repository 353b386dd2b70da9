"""Who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.access.permissions import ROLE_PERMISSIONS, Permission
from aurorasoc.errors import Unauthenticated

MAX_SUBJECT: Final = 255
"""Characters of a caller's name, as the audit log holds it."""


def is_subject(text: str) -> bool:
    """Return whether a text can name a caller in the audit log: printable, and not too long."""
    return 0 < len(text) <= MAX_SUBJECT and text.isprintable()


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        subject: The name written to the audit log.
        roles: Role names, unknown ones included.
        permissions: Those that the roles grant, and those that the token lists.
        expires_at: When the token expires and its streams end; None if never.
        client: The machine client's name; None if a person or a service calls.
        max_tlp: A client's ceiling, and the label of what it sends without one; None: it has none.
    """

    subject: str
    roles: frozenset[str]
    permissions: frozenset[Permission]
    expires_at: datetime | None = field(default=None, compare=False)
    client: str | None = None
    max_tlp: Tlp | None = None

    def __post_init__(self) -> None:
        """Refuse a subject that doesn't fit the audit log or has invisible characters.

        Raises:
            Unauthenticated: It is empty, longer than 255 characters, or not printable.
        """
        if not is_subject(self.subject):
            detail = f"A caller's subject has 1 to {MAX_SUBJECT} printable characters."
            raise Unauthenticated(detail)

    @classmethod
    def of(
        cls,
        subject: str,
        *,
        roles: Iterable[str] = (),
        permissions: Iterable[str] = (),
        expires_at: datetime | None = None,
    ) -> Principal:
        """Build a principal from names; unknown names grant nothing."""
        named = frozenset(roles)
        granted = {p for role in named for p in ROLE_PERMISSIONS.get(role, ())}
        granted |= {Permission(p) for p in permissions if p in set(Permission)}
        return cls(subject, named, frozenset(granted), expires_at)

    def may(self, permission: Permission) -> bool:
        """Return whether the principal holds a permission."""
        return permission in self.permissions

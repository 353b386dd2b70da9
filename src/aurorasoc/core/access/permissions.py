"""Permissions, and the roles that grant them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One permission. The values are the platform's."""

    AGENTS_READ = "agents:read"
    ALERTS_INVESTIGATE = "alerts:investigate"
    AUDIT_READ = "audit:read"
    USERS_MANAGE = "users:manage"


ROLE_PERMISSIONS: Final[dict[str, frozenset[Permission]]] = {
    "admin": frozenset(Permission),
    "analyst": frozenset({Permission.AGENTS_READ, Permission.ALERTS_INVESTIGATE}),
    "api_service": frozenset({Permission.ALERTS_INVESTIGATE}),
    "operator": frozenset({Permission.AGENTS_READ, Permission.ALERTS_INVESTIGATE}),
    "viewer": frozenset({Permission.AGENTS_READ}),
}

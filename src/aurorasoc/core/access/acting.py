"""On whose behalf the present task works: whoever its model calls are counted for.

It is noted where a caller is authenticated, and followed by every task that begins there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from aurorasoc.core.access.principal import Principal


@dataclass(frozen=True, slots=True)
class Acting:
    """Whoever asked.

    Attributes:
        subject: The caller's name, as the audit log has it.
        client: The name of the machine client; None if it is none.
    """

    subject: str
    client: str | None = None

    @classmethod
    def of(cls, principal: Principal | None) -> Acting | None:
        """Return who acts for a caller; None where callers need no token."""
        return None if principal is None else cls(principal.subject, principal.client)


_acting: Final[ContextVar[Acting | None]] = ContextVar("acting", default=None)


def acting() -> Acting | None:
    """Return on whose behalf the present task works; None: a program that embeds us."""
    return _acting.get()


def act_for(principal: Principal) -> None:
    """Note who the present task, a request's, works for until it ends."""
    _acting.set(Acting.of(principal))


@contextmanager
def acting_for(who: Acting | None) -> Iterator[None]:
    """Work on somebody's behalf for as long as this lasts."""
    before = _acting.set(who)
    try:
        yield
    finally:
        _acting.reset(before)

"""Who calls an agent: kept in the SDK's context of each call, from the door to task and run."""

from __future__ import annotations

from typing import Final

from a2a.auth.user import User
from a2a.server.context import ServerCallContext

from aurorasoc.core.access.principal import Principal

_STREAMED: Final = "aurorasoc_streamed"


class Caller(User):
    """A caller, as the SDK takes them: tasks belong to the name.

    Args:
        principal: Who it is; None where callers need no token: they are one.
    """

    def __init__(self, principal: Principal | None) -> None:
        self.principal = principal

    @property
    def is_authenticated(self) -> bool:
        """Whether a token was shown."""
        return self.principal is not None

    @property
    def user_name(self) -> str:
        """The owner of tasks and conversations."""
        return "" if self.principal is None else self.principal.subject


def context_of(caller: Principal | None, *, streamed: bool = False) -> ServerCallContext:
    """Return the SDK's context of a call.

    Args:
        caller: Who makes it.
        streamed: Whether the answer is read while it is made.
    """
    return ServerCallContext(user=Caller(caller), state={_STREAMED: streamed})


def caller_of(context: ServerCallContext) -> Principal | None:
    """Return who makes a call; None where callers need no token."""
    return context.user.principal if isinstance(context.user, Caller) else None


def is_streamed(context: ServerCallContext) -> bool:
    """Tell whether the answer is read while it is made."""
    return context.state.get(_STREAMED) is True

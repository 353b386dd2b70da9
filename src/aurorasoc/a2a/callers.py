"""Who calls an agent: kept in the SDK's context of each call, from the door to task and run."""

from __future__ import annotations

from typing import Final

from a2a.server.context import ServerCallContext

from aurorasoc.core.access.principal import Principal

_CALLER: Final = "aurorasoc_caller"


def note_caller(context: ServerCallContext, caller: Principal | None) -> None:
    """Note who makes a call; None where callers need no token."""
    context.state[_CALLER] = caller


def caller_of(context: ServerCallContext | None) -> Principal | None:
    """Return who makes a call."""
    caller = None if context is None else context.state.get(_CALLER)
    return caller if isinstance(caller, Principal) else None


def owner_of(context: ServerCallContext | None) -> str:
    """Return whose tasks and conversations a call may use; where nobody signs in, everybody's."""
    caller = caller_of(context)
    return "" if caller is None else caller.subject

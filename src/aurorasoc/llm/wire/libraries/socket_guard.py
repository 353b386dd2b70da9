"""Confines the model libraries: no network but by our transport (docs/decisions/037).

While their code runs, in calls and at its import, a name that is resolved, a socket that connects
and a datagram that is sent are refused where Python makes them, unless our transport does it.
Nothing leaves before that: audit events are raised ahead of the system call, and uvloop's methods
are wrapped.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import cache, partial, wraps
from importlib import import_module
from typing import Any, Final, Protocol, TypeVar

from aurorasoc.config.settings import library_environment
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import Unavailable

T = TypeVar("T")


class Closable(Protocol):
    """An answer, or a generator that reads one."""

    async def aclose(self) -> None:
        """Close it; a second time does nothing."""


log = get_logger("aurorasoc.socket_guard")


class UnjudgedConnection(Unavailable):
    """A library tried to reach the network in a model call, past our transport."""

    code = "address_refused"
    title = "Address refused"

    def __init__(self, attempt: str) -> None:
        super().__init__(
            f"A model library tried to reach the network on its own ({attempt}). It was stopped "
            "before anything left."
        )


@dataclass(slots=True, eq=False)
class ConfinedCall:
    """One model call, over all its tries and pieces.

    Attributes:
        stopped: What a library tried, should it swallow the refusal.
        connection: httpcore's, that our transport uses for it; None where a proxy stands between.
        answer: The open answer of a stream.
    """

    stopped: str | None = None
    connection: Any = None
    answer: Closable | None = None


@dataclass(slots=True, eq=False)
class _Transport:
    """Our transport, at work in a call."""

    over: bool = False


_Actor = ConfinedCall | _Transport | None

_actor: ContextVar[_Actor] = ContextVar("aurorasoc_network_actor", default=None)

_REACHES_OUT: Final = frozenset(
    {
        "socket.connect",  # connect_ex, too
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",  # gethostbyname_ex, too
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
    }
)
_REACHES_OUT_IN_UVLOOP: Final = (
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "getaddrinfo",
    "getnameinfo",
    "sock_connect",
)
_STARTS_THREAD: Final = (
    (_thread, "start_joinable_thread"),
    (_thread, "start_new"),
    (_thread, "start_new_thread"),
    (threading, "_start_joinable_thread"),
    (threading, "_start_new_thread"),
)
"""Where threads start, by Python's version: `Thread.start` holds a reference of its own."""


@contextmanager
def confined(within: ConfinedCall | None = None) -> Iterator[None]:
    """Confine library code, and the tasks and threads it starts, those that outlive it as well.

    It reaches no network but by our transport, and sees `library_environment` alone.

    Args:
        within: The call that this is a part of. None: this is all of it.

    Raises:
        UnjudgedConnection: A library tried to reach the network, even if it swallowed that.
    """
    install()
    call = within or ConfinedCall()
    token = _actor.set(call)
    try:
        yield
    except Exception:
        if call.stopped is None:
            raise
    finally:
        _leave(token)
    if call.stopped is not None:  # raised here, so that nothing of the library's is chained
        log.error("stopped an unjudged connection", attempt=call.stopped)
        raise UnjudgedConnection(call.stopped)


@contextmanager
def transport_opens() -> Iterator[None]:
    """Let our transport resolve and connect: it judges what it reaches."""
    transport = _Transport()
    try:
        with _acting_for(transport):
            yield
    finally:
        transport.over = True


@contextmanager
def hosts_code() -> Iterator[None]:
    """Leave the call for code of the host's own, such as the validators of its classes."""
    with _acting_for(None):
        yield


def confined_call() -> ConfinedCall | None:
    """Return the model call that the present code is a part of; None in none."""
    actor = _actor.get()
    return actor if isinstance(actor, ConfinedCall) else None


def refuse_in_call(attempt: str) -> None:
    """Refuse an attempt that belongs to a model call and isn't our transport's.

    Args:
        attempt: What is tried, in the words of the error: `socket.connect`.

    Raises:
        UnjudgedConnection: It is one.
    """
    actor = _acting()
    if isinstance(actor, ConfinedCall):
        actor.stopped = attempt
        raise UnjudgedConnection(attempt)


@cache
def install() -> None:
    """Put the guard in place for this process, once. An audit hook can't be removed."""
    library_environment.install(lambda: _acting() is not None)
    sys.addaudithook(_on_audit_event)
    _guard_threads()
    _guard_uvloop()


def _guard_threads() -> None:
    """Make threads and pools carry the actor: plain ones have no context of who started them."""
    for module, name in _STARTS_THREAD:
        if hasattr(module, name):
            setattr(module, name, _starting(getattr(module, name)))
    ThreadPoolExecutor.submit = _submitting(ThreadPoolExecutor.submit)  # type: ignore[method-assign]  # the same signature


def _guard_uvloop() -> None:
    """Guard the methods that connect and resolve inside libuv, where no audit event is raised.

    The class is guarded, not a subclass of ours: a host's loop, and one that a library makes in a
    thread, are guarded with it.
    """
    try:
        loop = import_module("uvloop").Loop
    except ImportError:
        return
    for name in _REACHES_OUT_IN_UVLOOP:
        setattr(loop, name, _refusing(getattr(loop, name)))


def _refusing(method: Any) -> Any:  # noqa: ANN401 - a method of uvloop's
    @wraps(method)
    async def refusing(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as there
        refuse_in_call(f"uvloop.{method.__name__}")
        return await method(*args, **kwargs)

    return refusing


def _on_audit_event(event: str, _: tuple[Any, ...]) -> None:
    if event in _REACHES_OUT:
        refuse_in_call(event)


def _starting(start: Callable[..., T]) -> Callable[..., T]:
    """Make a thread act for whoever starts it: to wait until a call is over is no way out."""

    @wraps(start)
    def starting(function: Callable[..., object], /, *args: Any, **kwargs: Any) -> T:
        actor = _acting()
        if actor is None:
            return start(function, *args, **kwargs)
        return start(partial(_act, actor, function), *args, **kwargs)

    return starting


def _submitting(submit: Any) -> Any:  # noqa: ANN401 - a method of the standard library
    """Make a pool's worker act for whoever submits, and for nobody afterwards."""

    @wraps(submit)
    def submitting(
        self: ThreadPoolExecutor, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> Future[T]:
        actor = _acting()
        if actor is None:
            return submit(self, fn, *args, **kwargs)  # type: ignore[no-any-return]  # it is one
        with _acting_for(None):  # a worker that is started now serves others later
            return submit(self, _act, actor, fn, *args, **kwargs)  # type: ignore[no-any-return]  # as above

    return submitting


def _act(actor: _Actor, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    with _acting_for(actor):
        return fn(*args, **kwargs)


def _acting() -> _Actor:
    """Return for whom the present context acts: a call, our transport while it works, or nobody."""
    actor = _actor.get()
    return None if isinstance(actor, _Transport) and actor.over else actor


@contextmanager
def _acting_for(actor: _Actor) -> Iterator[None]:
    token = _actor.set(actor)
    try:
        yield
    finally:
        _leave(token)


def _leave(token: Token[_Actor]) -> None:
    """Act as before; a coroutine that a stopped loop left is closed elsewhere, in no call."""
    with suppress(ValueError):
        _actor.reset(token)

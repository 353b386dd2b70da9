"""Faults that a test switches on at runtime, one set at a time per server."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, Self

HTML: Final = b"<!doctype html><html><body><h1>Sign in to continue</h1></body></html>"


class Refusal(Enum):
    """A refusal, answered with the status and error body that each vendor documents for it."""

    BAD_KEY = "bad_key"
    FORBIDDEN = "forbidden"
    UNKNOWN_MODEL = "unknown_model"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    UNPAID = "unpaid"
    BAD_REQUEST = "bad_request"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. Fields combine; `where` limits it to paths that contain that text.

    `refusal` wins over `status` with `body`, those over `redirect`. Times are in seconds.
    `cut_after` counts stream events; a cut is a reset, or, with `cut_politely`, a stream that
    ends well-formed but early. `gate` holds the answer back until the test sets it (30 s).
    `times` ends the fault after so many requests. `lost_after` sends so many bytes of a `body`
    whose head promises all of them, and closes the connection.
    """

    refusal: Refusal | None = None
    status: int | None = None
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    redirect: str | None = None
    delay: float = 0.0
    gate: threading.Event | None = None
    event_delay: float = 0.0
    reset: bool = False
    cut_after: int | None = None
    cut_politely: bool = False
    empty_stream: bool = False
    empty_content: bool = False
    echo_key: bool = False
    ignore_keys: bool = False
    where: str = ""
    times: int | None = None
    lost_after: int | None = None

    @classmethod
    def html(cls, status: int = 200) -> Self:
        """Answer a web page, as captive portals, proxies and load balancers do."""
        return cls(status=status, body=HTML, media_type="text/html; charset=utf-8")


class FaultSwitch:
    """The fault in force, set by the test's thread and read by the server's."""

    def __init__(self) -> None:
        """Begin without faults."""
        self._lock = threading.Lock()
        self._fault = Fault()

    def set(self, fault: Fault) -> None:
        """Put `fault` in force, in place of the one before."""
        with self._lock:
            self._fault = fault

    def clear(self) -> None:
        """End every fault."""
        self.set(Fault())

    @contextlib.contextmanager
    def held(self, fault: Fault) -> Iterator[None]:
        """Put `fault` in force for the length of a `with` block."""
        self.set(fault)
        try:
            yield
        finally:
            self.clear()

    def take(self, path: str) -> Fault:
        """Return the fault for a request to `path`, and count it."""
        with self._lock:
            fault = self._fault
            if fault.where not in path or fault.times == 0:
                return Fault()
            if fault.times is not None:
                self._fault = replace(fault, times=fault.times - 1)
            return fault

"""One record for each call, made where its outcome is known (docs/decisions/050).

A call that falls over is one call. It holds no content, and no key.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from aurorasoc.config.vocabulary import ConnectionName, ServingBackend
from aurorasoc.core.access.acting import Acting, acting
from aurorasoc.core.clock import now_us
from aurorasoc.errors import Attempt, AuroraError, ModelCallError
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.outcome import Output, is_known, outcome_of
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asker import Asker
from aurorasoc.llm.wire.call_notes import CallNotes, Member, notes
from aurorasoc.llm.wire.prices import cost_of, price_of

if TYPE_CHECKING:
    from aurorasoc.llm.wire.answers.outcome import Finish

ABANDONED: Final = "abandoned"
"""The code of a call whose caller left before its answer was whole, or was stopped."""

UNEXPECTED: Final = "internal_error"
"""The code of a call that an error of no known kind ended."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, and how it ended.

    Attributes:
        at_us: When it ended, in microseconds since the epoch.
        seconds: How long it took, all tries and attempts together.
        first_piece: Seconds until the first piece of a stream, be it a thought; None: none came,
            or the answer came as a whole.
        asker: Role, label, and agent if one asked.
        acting: On whose behalf; None: a program that embeds us.
        revision: Of the configuration that chose the model; None: it wasn't configured.
        connection: Who answered, be it in part, or who was asked first if nobody did.
        provider: The kind of provider that it leads to.
        model: The requested model.
        code: None: it was answered. Else the failure's code, or `abandoned`.
        finish: How the answer ended; None: there is none.
        usage: Tokens as the vendor counted them; None: it counts nothing, or nobody answered.
        micro_dollars: What it cost, in millionths of a US dollar; None: nobody knows.
        attempts: Everyone who was asked or passed over, in order.
        sent: How many requests were sent to each connection, retries included.
        streamed: Whether the answer was to come in pieces.
    """

    at_us: int
    seconds: float
    first_piece: float | None
    asker: Asker
    acting: Acting | None
    revision: int | None
    connection: ConnectionName
    provider: ServingBackend
    model: str
    code: str | None
    finish: Finish | None
    usage: Usage | None
    micro_dollars: int | None
    attempts: tuple[Attempt, ...]
    sent: Mapping[ConnectionName, int]
    streamed: bool


Listener = Callable[[CallRecord], None]
"""Is told of a call in the call's own task: it puts the record away, and never waits."""


@dataclass(slots=True)
class CallRecords:
    """Tells whoever counts calls of each that ended."""

    listeners: list[Listener] = field(default_factory=list)

    def follow(self, listener: Listener) -> None:
        """Tell somebody of each call from now on."""
        self.listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Tell somebody no more."""
        self.listeners.remove(listener)

    def tell(self, record: CallRecord) -> None:
        """Tell everybody of a call."""
        for listener in self.listeners:
            listener(record)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a model's calls are for, and who is told of each.

    Attributes:
        asker: Role, label, and agent if one asks.
        revision: Of the configuration that chose the model; None: it isn't configured.
        records: Tells whoever counts.
    """

    asker: Asker = field(default_factory=lambda: Asker("specialist", None))
    revision: int | None = None
    records: CallRecords = field(default_factory=CallRecords)


class RecordedCall:
    """A call under way; it is recorded when it ends, however that is.

    Args:
        reference: The model that is asked first.
        purpose: What the call is for.
        streamed: Whether its answer comes in pieces.
    """

    def __init__(self, reference: ModelReference, purpose: Purpose, *, streamed: bool) -> None:
        self._reference, self._purpose, self._streamed = reference, purpose, streamed
        self._notes = notes.get() or CallNotes()
        self._output: Output | None = None
        self._answering: Member | None = None
        self._began = asyncio.get_running_loop().time()

    def saw(self, output: Output) -> None:
        """Take a whole answer, or one of its pieces: the last one knows the outcome."""
        self._answering = self._notes.asking
        if is_known(output):
            self._output = output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._purpose.records.listeners:
            self._purpose.records.tell(self._record(error))

    def _record(self, error: BaseException | None) -> CallRecord:
        outcome = None if self._output is None else outcome_of(self._output)
        if outcome is not None and isinstance(error, GeneratorExit):
            error = None  # whoever read the last piece need not come back for the end
        reference = self._reference if self._answering is None else self._answering.reference
        seconds = asyncio.get_running_loop().time() - self._began
        code = _code_of(error)
        attempts = error.attempts if isinstance(error, ModelCallError) else ()
        attempts = attempts or (() if outcome is None else outcome.attempts)
        first = self._notes.first_piece_at
        usage = None if outcome is None or code else outcome.usage
        return CallRecord(
            now_us(),
            seconds,
            first and first - self._began,
            self._purpose.asker,
            acting(),
            self._purpose.revision,
            reference.connection,
            reference.provider,
            reference.model,
            code,
            None if outcome is None or code else outcome.finish,
            usage,
            _cost(usage, reference),
            attempts or self._attempts_until(code, seconds),
            Counter(self._notes.sent),
            self._streamed,
        )

    def _attempts_until(self, code: str | None, seconds: float) -> tuple[Attempt, ...]:
        """Return who failed before, and who was asked when the call ended."""
        tried, asking = self._notes.tried, self._notes.asking
        asked = self._reference if asking is None else asking.reference
        left = round(seconds - sum(one.seconds for one in tried), 3)
        return *tried, Attempt(asked.connection, asked.model, code, left)


def _code_of(error: BaseException | None) -> str | None:
    if error is None:
        return None
    if isinstance(error, AuroraError):
        return error.code
    return UNEXPECTED if isinstance(error, Exception) else ABANDONED


def _cost(usage: Usage | None, reference: ModelReference) -> int | None:
    price = None if usage is None else price_of(reference, usage.prompt_tokens)
    return None if usage is None or price is None else cost_of(usage, price)

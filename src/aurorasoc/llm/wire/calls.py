"""What surrounds every model call: admission, slots, retries, time-out, and what it tells.

The provider's own exceptions hold keys in their request objects and tracebacks. They end here:
an error of ours is raised outside the `except` block, so that nothing of theirs is chained.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar

from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError, BudgetExceeded, ContextTooLong, ModelCallError
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.llm.wire.answers.outcome import Outcome
from aurorasoc.llm.wire.asking.learned import Knowledge, Learned, Lesson, Place, Refusable
from aurorasoc.llm.wire.asking.leave_out import LeftOut
from aurorasoc.llm.wire.asking.standing import StandingOptions
from aurorasoc.llm.wire.breaker import Breaker, Passage
from aurorasoc.llm.wire.call_record import Purpose
from aurorasoc.llm.wire.charges import Ask, Budgets, Charge, Unlimited
from aurorasoc.llm.wire.continuity import Succession
from aurorasoc.llm.wire.failures.refusals import OptionRefused
from aurorasoc.llm.wire.libraries.socket_guard import confined
from aurorasoc.llm.wire.under_way import JudgeUnderWay, UnderWay, may_go_on
from aurorasoc.llm.wire.waits import Judge, Waits
from aurorasoc.llm.wire.windows.known import ContextWindow, keep_window

T = TypeVar("T")
Refused = frozenset[Refusable]

Translate = Callable[[Exception, ModelReference], AuroraError]
JudgeAddress = Callable[[], Awaitable[None]]

log = get_logger("aurorasoc.calls")


class Ledger(Protocol):
    """Who is told how production calls end."""

    def succeeded(self, reference: ModelReference) -> None:
        """A call was answered."""

    def failed(self, reference: ModelReference, error: ModelCallError) -> None:
        """A call failed at the provider."""

    def fell_over(
        self, failed: ModelReference, asked: ModelReference, error: ModelCallError
    ) -> None:
        """Another model is asked, because the first one failed."""


def _take(_answer: object) -> None:
    """Take whatever was answered."""


def _refuse_nothing() -> None:
    """Nothing to judge: the reference is nobody's configuration."""


def _as_it_is() -> AddressPolicy | None:
    """Confine nothing further."""
    return None


@dataclass(frozen=True, slots=True)
class _Call:
    """A call, over all its tries: its way through the breaker, what is open, and what it costs."""

    passage: Passage
    under_way: UnderWay
    charge: Charge | None


@dataclass(frozen=True)
class CallSite:
    """The surroundings of one model's calls.

    Attributes:
        reference: The model that is called.
        translate: Makes one of our errors of whatever the adapter raised.
        ledger: Is told the outcome.
        waits: Bounds the calls under way in this process, and ends waits that a change refuses.
        judge: Judges key and label right before each transmission, and when they change meanwhile.
        judge_address: Judges right before each transmission whether the provider is local.
        judge_under_way: Judges while it is under way, when the configuration changes.
        address_policy: Which addresses may be connected to; None: the configuration is trusted.
        confine: Returns a stricter policy for what is sent now; None: there is none.
        learned: What is known of models: what they refuse isn't sent.
        asks_again: Whether a call that ended in thoughts is made again with a larger limit.
        breaker: Refuses calls while those before them failed.
        is_test: Whether an admin asked for the call: it is made whatever the breaker says.
        succession: Knows who is asked after a failure; None: nobody is.
        purpose: What the calls are for, and who is told of each.
        budgets: Knows which limits calls count against.
    """

    reference: ModelReference
    translate: Translate
    ledger: Ledger
    waits: Waits = field(default_factory=Waits)
    judge: Judge = _refuse_nothing
    judge_address: JudgeAddress | None = None
    judge_under_way: JudgeUnderWay = may_go_on
    address_policy: AddressPolicy | None = None
    confine: Callable[[], AddressPolicy | None] = _as_it_is
    learned: Learned = field(default_factory=Learned)
    asks_again: bool = True
    breaker: Breaker = field(default_factory=Breaker)
    is_test: bool = False
    succession: Succession | None = None
    purpose: Purpose = field(default_factory=Purpose)
    budgets: Budgets = field(default_factory=Unlimited)

    @property
    def reach(self) -> AddressPolicy | None:
        """Which addresses may be connected to now; None: the configuration is trusted."""
        return self.confine() or self.address_policy

    @cached_property
    def standing(self) -> StandingOptions:
        """What the connection asks of every call."""
        return StandingOptions(self.reference)

    @property
    def known(self) -> Knowledge:
        """What is known of the model."""
        return self.learned.of(Place.of(self.reference))

    def learn_from(self, outcome: Outcome) -> None:
        """Remember what an answer shows of its model."""
        if outcome.thoughts_untagged:
            self.learned.learn(Lesson(Place.of(self.reference), thinks_untagged=True))

    async def call(
        self,
        attempt: Callable[[Refused], Awaitable[T]],
        check: Callable[[T], None] = _take,
        ask: Ask | None = None,
    ) -> T:
        """Make a call, and make it again while its failure may pass.

        Args:
            attempt: Makes the call once, without the options that it is handed.
            check: Raises if its answer is of no use.
            ask: What it may cost; None: nobody counts.

        Raises:
            ModelCallError: The provider failed.
            BudgetExceeded: A hard limit has no room for it.
            TlpRefused: The call may not leave.
            HostedStopped: Hosted traffic is, or was meanwhile, stopped.
            ProviderNotReady: Its key was deleted while it waited.
        """
        async with self._begun(ask) as call:
            result = await self._tries(attempt, call, self.reference.limits.timeout)
            self._ended(result, check, call)
        return result

    async def stream(
        self,
        attempt: Callable[[Refused], AsyncIterator[T]],
        check: Callable[[T], None] = _take,
        ask: Ask | None = None,
    ) -> AsyncGenerator[T]:
        """Stream an answer; only what failed before its first piece is tried again.

        Args:
            attempt: Streams an answer, without the options that it is handed, and ends when the
                provider is silent for too long (`patience`).
            check: Raises if the answer is of no use, by its last piece.
            ask: What it may cost; None: nobody counts.

        Raises:
            BudgetExceeded: A hard limit has no room for it.
            ModelCallError: The provider failed, possibly after some pieces.
            TlpRefused: The call may not leave.
            HostedStopped: Hosted traffic is stopped, possibly since some pieces.
        """

        async def begin(refused: Refused) -> tuple[AsyncIterator[T], T | None]:
            pieces = attempt(refused)
            return pieces, await anext(pieces, None)

        async with self._begun(ask) as call:
            pieces, piece = await self._tries(begin, call, None)
            self.breaker.began(call.passage)
            last = piece
            async with aclosing(pieces):  # type: ignore[type-var]  # an async generator it is
                while piece is not None:
                    yield piece
                    last, piece = piece, await self._once(lambda: anext(pieces, None), call, None)
            self._ended(last, check, call)

    @asynccontextmanager
    async def _begun(self, ask: Ask | None) -> AsyncIterator[_Call]:
        """Pass the breaker, hold a slot, and settle in the end what the call costs.

        Raises:
            ModelCallError: The provider isn't asked now.
            AuroraError: The call was refused while it waited for its slot.
        """
        with Passage(self.breaker, self.reference, self.is_test) as passage:
            async with self.waits.slot(self.judge, self.judge_under_way) as under_way:
                charge = self._charge(ask)
                try:
                    yield _Call(passage, under_way, charge)
                finally:
                    if charge is not None:
                        charge.close()

    def _charge(self, ask: Ask | None) -> Charge | None:
        return None if ask is None else self.budgets.charge(self.reference, self.purpose, ask)

    def _ended(self, result: T | None, check: Callable[[T], None], call: _Call) -> None:
        """Tell how a call ended that was answered."""
        if call.charge is not None:
            call.charge.answered()
        try:
            if result is not None:
                check(result)
        except ModelCallError as error:
            self._failed(error, call)
            raise
        self.ledger.succeeded(self.reference)
        self.breaker.answered()

    def _failed(self, failure: ModelCallError, call: _Call) -> None:
        self.ledger.failed(self.reference, failure)
        self.breaker.failed(call.passage, failure)

    async def _tries(
        self,
        attempt: Callable[[Refused], Awaitable[T]],
        call: _Call,
        seconds: float | None,
    ) -> T:
        """Try, and again while the failure may pass and `LLM_MAX_RETRIES` allows.

        A provider that asks for a longer wait gets it where the next try still begins within
        `LLM_TIMEOUT` of the first; else its failure is the call's, and says how long to wait. So
        it is once the breaker is open: nothing is tried again.

        Args:
            attempt: Makes the call once.
            call: What it is a part of.
            seconds: How long all tries may take together; None where a try ends itself.
        """
        now = asyncio.get_running_loop().time
        began = now()
        failures: list[ModelCallError] = []
        for backoff in (*_waits(self.reference.limits.max_retries), None):
            try:
                return await self._accepted(attempt, call, seconds and began + seconds)
            except ModelCallError as error:
                if error.asked or not failures:  # else its own failure says more
                    failures.append(error)
            except BudgetExceeded:
                if not failures:
                    raise
                break  # the failed tries used up what was left
            if backoff is None or not self._may_pass(failures[-1], call):
                break
            wait = _wait(backoff, failures[-1].retry_after)
            if now() + wait >= began + self.reference.limits.timeout:
                break
            await self.waits.pause(wait, self.judge)
        raise failures[-1]

    def _may_pass(self, failure: ModelCallError, call: _Call) -> bool:
        return failure.retryable and failure.asked and not self.breaker.refuses(call.passage)

    async def _accepted(
        self,
        attempt: Callable[[Refused], Awaitable[T]],
        call: _Call,
        ends: float | None,
    ) -> T:
        """Try, and at once again without what the model refuses, within the time of all tries."""
        left_out = LeftOut(self.learned, self.reference)
        while True:
            if call.charge is not None:
                await call.charge.reserve(left_out.options)
            if self.judge_address is not None:
                await self.judge_address()
            self.judge()
            self.breaker.ask(call.passage)
            if call.charge is not None:
                call.charge.sends()
            try:
                result = await self._once(lambda: attempt(left_out.options), call, ends)
            except OptionRefused as refusal:
                self._leave_out(left_out, refusal, call)
            else:
                left_out.answered()
                return result

    def _leave_out(self, left_out: LeftOut, refusal: OptionRefused, call: _Call) -> None:
        try:
            left_out.add(refusal)
        except OptionRefused:
            self._failed(refusal, call)
            raise
        log.info("an option is refused and left out", option=refusal.option, model=refusal.model)

    async def _once(
        self, attempt: Callable[[], Awaitable[T]], call: _Call, ends: float | None
    ) -> T:
        under_way = call.under_way
        try:
            async with under_way.until(ends):
                with confined(under_way.confined):
                    return await attempt()
        except Exception as error:  # noqa: BLE001 - every exception of the adapter is translated
            failure = under_way.refusal or self.translate(error, self.reference)
            under_way.failed()
        finally:
            under_way.rests()
        if isinstance(failure, ContextTooLong) and failure.context_window is not None:
            keep_window(self.reference, ContextWindow(failure.context_window, "refusal"))
        if call.charge is not None:
            call.charge.failed(may_have_cost=_may_have_cost(failure, under_way))
        if isinstance(failure, ModelCallError) and not isinstance(failure, OptionRefused):
            self._failed(failure, call)
        failure.__cause__ = failure.__context__ = None  # frames of the sender hold the key
        raise failure.with_traceback(None)


def _may_have_cost(failure: AuroraError, under_way: UnderWay) -> bool:
    """Whether a provider may charge for what failed; what a change ended may have been sent."""
    if isinstance(failure, ModelCallError):
        return failure.may_have_cost
    return under_way.refusal is not None


def _waits(retries: int) -> Iterator[float]:
    """Seconds before each further try: doubled each time, and jittered, so that few coincide."""
    for retry in range(retries):
        yield min(0.2 * 2**retry, 2.0) + random.uniform(0, 0.2)  # noqa: S311 - no secret


def _wait(backoff: float, asked: float | None) -> float:
    """Return the seconds before the next try: what the provider asks for, and never less than ours.

    Whoever is told the same moment comes a little apart.
    """
    if asked is None or asked < backoff:
        return backoff
    return asked + random.uniform(0, max(0.2, asked / 10))  # noqa: S311 - no secret

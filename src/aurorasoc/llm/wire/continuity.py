"""Ask one connection after another, until one answers (docs/decisions/047).

A call falls over while nobody has seen any of its answer: whole answers always, streams until
their first piece. Thoughts before it wait for it, where somebody may stand in. Whoever is asked
next is asked the whole call anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.errors import DECLINED, TOO_LONG, Attempt, AuroraError, ModelCallError
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.outcome import attach, is_known, outcome_of
from aurorasoc.llm.wire.call_notes import CallNotes, Member, notes

if TYPE_CHECKING:
    from beeai_framework.backend.types import ChatModelInput, ChatModelOutput

    from aurorasoc.llm.wire.chat_model import SentByUs


@dataclass(frozen=True, slots=True)
class Skipped:
    """A connection that would be next, and can't be asked.

    Attributes:
        connection: Its name.
        model: The model that would be asked; None if the connection has none.
        code: Why it can't.
    """

    connection: ConnectionName
    model: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A model that was asked, and how it failed."""

    failure: ModelCallError
    reference: ModelReference


class Succession(Protocol):
    """Knows who is asked after a failure."""

    @property
    def stands_by(self) -> bool:
        """Whether there may be anybody."""

    async def after(
        self,
        last: Failed,
        too_small: Sequence[Failed],
        tried: AbstractSet[ConnectionName],
    ) -> Member | Skipped | None:
        """Return who is next by the configuration in force; None: nobody can mend it.

        Args:
            last: The failure to mend.
            too_small: Whose context window the prompt didn't fit, so far; may hold `last`.
            tried: Who was asked already, or passed over.
        """


async def whole(model: SentByUs, asked: ChatModelInput) -> ChatModelOutput:
    """Return a whole answer, of the model or of whoever can mend its failure.

    Raises:
        ModelCallError: Nobody answered. It is the first failure; its attempts are the others.
        AuroraError: The call may not leave.
    """
    began = _now()
    try:
        return await model.aurora_answer(asked)
    except ModelCallError as error:
        relay = _Relay(model, error, began)
    while (member := await relay.next()) is not None:
        began = _now()
        stand_in = member.model.aurora_stand_in(asked)
        try:
            output: ChatModelOutput = await stand_in.answer()
        except AuroraError as error:
            relay.failed(member, error, began)
        else:
            relay.answered(member, output, began)
            answer: ChatModelOutput = await stand_in.finished(output)
            return answer
    raise relay.first_failure()


async def streamed(model: SentByUs, asked: ChatModelInput) -> AsyncGenerator[ChatModelOutput]:
    """Stream an answer, of the model or of whoever can mend its failure before the first piece.

    Raises:
        ModelCallError: As `whole` does. After the first piece: what broke the answer off.
        AuroraError: The call may not leave.
    """
    began, seen = _now(), False
    succession = model.aurora_site.succession
    holds = succession is not None and succession.stands_by
    try:
        async with aclosing(_pieces(model.aurora_stream(asked), holds=holds)) as outputs:
            async for output in outputs:
                seen = True
                yield output
            return
    except ModelCallError as error:
        failure = error
    if seen:
        raise failure.with_traceback(None)
    relay = _Relay(model, failure, began)
    while (member := await relay.next()) is not None:
        began = _now()
        stand_in = member.model.aurora_stand_in(asked)
        try:
            async with aclosing(_pieces(stand_in.stream(), holds=True)) as outputs:
                async for output in outputs:
                    seen = True
                    if is_known(output):
                        relay.answered(member, output, began)
                        yield await stand_in.finished(output)
                    else:
                        yield output
                return
        except AuroraError as error:
            relay.failed(member, error, began)
            if seen:
                raise relay.last_failure(error) from None
    raise relay.first_failure()


class _Relay:
    """Who was asked for one call so far, and how that ended.

    Args:
        model: Who was asked first.
        failure: How that failed.
        began: When, in the loop's seconds.
    """

    def __init__(self, model: SentByUs, failure: ModelCallError, began: float) -> None:
        self._site = model.aurora_site
        self._first = failure
        self._attempts: list[Attempt] = []
        self._too_small: list[Failed] = []
        self._notes = notes.get() or CallNotes()
        self._fails(Failed(failure, self._site.reference), began)

    async def next(self) -> Member | None:
        """Return who is asked next; None: nobody can mend the last failure."""
        succession = self._site.succession
        last = self._last
        if self._notes.declined and not isinstance(last.failure, DECLINED):
            return None
        while succession is not None:
            tried = {attempt.connection for attempt in self._attempts}
            try:
                following = await succession.after(last, self._too_small, tried)
            except AuroraError:  # this process ends, say: that doesn't hide the failure
                return None
            if following is None:
                return None
            if not isinstance(following, Skipped):
                self._site.ledger.fell_over(last.reference, following.reference, last.failure)
                self._notes.tried, self._notes.asking = tuple(self._attempts), following
                return following
            self._attempts.append(
                Attempt(following.connection, following.model, following.code, 0.0)
            )
        return None

    def failed(self, member: Member, error: AuroraError, began: float) -> None:
        """Note that a member failed, too; one that refused by itself leaves nothing to mend."""
        if isinstance(error, ModelCallError):
            self._fails(Failed(error, member.reference), began)
        else:
            self._attempts.append(_attempt(member.reference, error.code, began))
        if isinstance(error, TOO_LONG):
            self._notes.asks_shorter = member

    def _fails(self, failed: Failed, began: float) -> None:
        """Note a failure that somebody else may mend."""
        self._last = failed
        self._attempts.append(_attempt(failed.reference, failed.failure.code, began))
        self._notes.declined |= isinstance(failed.failure, DECLINED)
        if isinstance(failed.failure, TOO_LONG):
            self._too_small.append(failed)

    def answered(self, member: Member, output: ChatModelOutput, began: float) -> None:
        """Note that a member answered, where whoever reads the answer finds it."""
        self._attempts.append(_attempt(member.reference, None, began))
        attach(output, replace(outcome_of(output), attempts=tuple(self._attempts)))
        self._notes.answered_by = member

    def first_failure(self) -> ModelCallError:
        """Return the first failure: who was chosen isn't hidden by who stood in."""
        return self._of_all(self._first)

    def last_failure(self, error: AuroraError) -> AuroraError:
        """Return what broke off an answer that had begun."""
        return self._of_all(error) if isinstance(error, ModelCallError) else error

    def _of_all(self, error: ModelCallError) -> ModelCallError:
        if len(self._attempts) > 1:
            error.attempts = tuple(self._attempts)
        error.__cause__ = error.__context__ = None  # frames of the models hold the key
        return error.with_traceback(None)


def _pieces(
    outputs: AsyncGenerator[ChatModelOutput], *, holds: bool
) -> AsyncGenerator[ChatModelOutput]:
    call = notes.get()
    if call is not None and call.checked:
        return _once_whole(outputs)
    return _once_visible(outputs) if holds else outputs


async def _once_whole(outputs: AsyncGenerator[ChatModelOutput]) -> AsyncGenerator[ChatModelOutput]:
    """Yield a stream's pieces once the answer is whole."""
    async with aclosing(outputs):
        held = [output async for output in outputs]
    for output in held:
        yield output


async def _once_visible(
    outputs: AsyncGenerator[ChatModelOutput],
) -> AsyncGenerator[ChatModelOutput]:
    """Yield a stream's pieces once one holds a part of the answer."""
    held: list[ChatModelOutput] = []
    begun = False
    async with aclosing(outputs):
        async for output in outputs:
            if begun:
                yield output
                continue
            held.append(output)
            begun = _is_visible(output)
            if begun:
                for each in held:
                    yield each
                held.clear()


def _is_visible(output: ChatModelOutput) -> bool:
    return bool(output.get_text_content() or output.get_tool_calls()) or is_known(output)


def _attempt(reference: ModelReference, code: str | None, began: float) -> Attempt:
    return Attempt(reference.connection, reference.model, code, round(_now() - began, 3))


def _now() -> float:
    return asyncio.get_running_loop().time()

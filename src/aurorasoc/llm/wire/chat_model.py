"""BeeAI's chat models, whose calls we send: LiteLLM translates, and is asked for nothing else.

Importing this imports BeeAI's adapters and litellm; `adapter` does so behind its guard.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from beeai_framework.backend.types import ChatModelInput, ChatModelOutput, ChatModelUsage
from litellm import ModelResponse, ModelResponseStream

from aurorasoc.errors import RequestRefused
from aurorasoc.llm.wire import continuity
from aurorasoc.llm.wire.answers.cut_answers import (
    both,
    larger_limit,
    require_visible,
    require_whole,
    says_nothing,
)
from aurorasoc.llm.wire.answers.documents import parsed
from aurorasoc.llm.wire.answers.outcome import Outcome, attach, begin, is_known, outcome_of
from aurorasoc.llm.wire.answers.truncation import require_whole_prompt
from aurorasoc.llm.wire.answers.usable import calls_in, require_few, require_valid, structured
from aurorasoc.llm.wire.asking.attachments import require_images_taken, require_inline
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.asking.leave_out import without
from aurorasoc.llm.wire.asking.options import cache_points, translated
from aurorasoc.llm.wire.asking.request import ModelRequest
from aurorasoc.llm.wire.call_notes import note_first_piece, said_verbatim
from aurorasoc.llm.wire.call_record import RecordedCall
from aurorasoc.llm.wire.calls import CallSite, Refused
from aurorasoc.llm.wire.charges import Ask, Size, size_of
from aurorasoc.llm.wire.failures.declined import unexplained_end
from aurorasoc.llm.wire.failures.translate import StreamBrokenOff
from aurorasoc.llm.wire.formats import translation
from aurorasoc.llm.wire.formats.translation import Translation
from aurorasoc.llm.wire.libraries.litellm_table import most_output_tokens
from aurorasoc.llm.wire.patience import Patience
from aurorasoc.llm.wire.sending.open_answers import remember
from aurorasoc.llm.wire.sending.sender import DONE, Sender
from aurorasoc.llm.wire.stand_in import StandIn


class SentByUs:
    """Mixed in before an adapter's class: every call passes its `CallSite` and our sender."""

    aurora_site: CallSite

    if TYPE_CHECKING:  # the adapter's, behind this class

        def _transform_input(self, asked: ChatModelInput) -> dict[str, Any]: ...

        def _transform_output(
            self, answer: ModelResponse | ModelResponseStream
        ) -> ChatModelOutput: ...

    async def _create(self, asked: ChatModelInput, _run: object) -> ChatModelOutput:
        site = self.aurora_site
        with RecordedCall(site.reference, site.purpose, streamed=False) as call:
            output = await continuity.whole(self, asked)
            call.saw(output)
        return output

    def _create_stream(
        self, asked: ChatModelInput, _run: object
    ) -> AsyncGenerator[ChatModelOutput]:
        stream = self._recorded_stream(asked)
        remember(stream)  # BeeAI drops what it doesn't finish, and with it the call's slot
        return stream

    async def _recorded_stream(self, asked: ChatModelInput) -> AsyncGenerator[ChatModelOutput]:
        site = self.aurora_site
        with RecordedCall(site.reference, site.purpose, streamed=True) as call:
            async with aclosing(continuity.streamed(self, asked)) as outputs:
                async for output in outputs:
                    call.saw(output)
                    yield output

    def aurora_stand_in(self, asked: ChatModelInput) -> StandIn:
        """Return a call that was prepared for another model, put to this one."""
        return StandIn(self, asked)

    async def aurora_answer(self, asked: ChatModelInput) -> ChatModelOutput:
        """Return this model's own answer.

        Raises:
            ModelCallError: It failed.
        """
        first = output = await self._called(asked)
        if again := self._with_larger_limit(asked, first):
            with suppress(RequestRefused):  # it can't answer at such length
                output = await self._called(again, last=True)
        return self._visible(asked, first, output)

    async def _called(self, asked: ChatModelInput, *, last: bool = False) -> ChatModelOutput:
        ask = Ask(lambda refused: self._size(asked, refused))
        return await self.aurora_site.call(
            lambda refused: self._answer(asked, refused, ask), self._check(asked, last=last), ask
        )

    async def aurora_stream(self, asked: ChatModelInput) -> AsyncGenerator[ChatModelOutput]:
        """Stream this model's own answer; the last output alone knows its outcome.

        Raises:
            ModelCallError: It failed, possibly after some pieces.
        """
        known: list[ChatModelOutput] = []
        async with aclosing(self._streamed(asked, known)) as outputs:
            async for output in outputs:
                yield output
        if known and (again := self._with_larger_limit(asked, known[0])):
            with suppress(RequestRefused):
                async with aclosing(self._streamed(again, known, last=True)) as outputs:
                    async for output in outputs:
                        yield output
        if known:
            yield self._visible(asked, known[0], known[-1])

    async def _streamed(
        self, asked: ChatModelInput, known: list[ChatModelOutput], *, last: bool = False
    ) -> AsyncGenerator[ChatModelOutput]:
        """Stream one call; keep back the last output, which knows the outcome."""
        ask = Ask(lambda refused: self._size(asked, refused))
        stream = self.aurora_site.stream(
            lambda refused: self._outputs(asked, refused, ask), self._check(asked, last=last), ask
        )
        async with aclosing(stream) as outputs:
            async for output in outputs:
                if is_known(output):
                    known.append(output)
                else:
                    yield output

    def _with_larger_limit(
        self, asked: ChatModelInput, output: ChatModelOutput
    ) -> ChatModelInput | None:
        """Return what to ask after a call that ended in thoughts; None: not again."""
        if not self.aurora_site.asks_again:
            return None
        most = self.aurora_site.standing.most(most_output_tokens(self.aurora_site.reference))
        limit = larger_limit(asked.max_tokens, most, outcome_of(output))
        return None if limit is None else asked.model_copy(update={"max_tokens": limit})

    def _check(self, asked: ChatModelInput, *, last: bool) -> Callable[[ChatModelOutput], None]:
        """Return what makes a call a failure that showed nothing, unless it is made again.

        Args:
            asked: The call.
            last: Whether it was made again already.
        """

        def check(output: ChatModelOutput) -> None:
            if last or self._with_larger_limit(asked, output) is None:
                self._require_visible(asked, outcome_of(output))

        return check

    def _require_visible(self, asked: ChatModelInput, outcome: Outcome) -> None:
        require_visible(
            outcome,
            self.aurora_site.reference,
            tools=bool(asked.tools or "tools" in said_verbatim()),
        )

    def _visible(
        self, asked: ChatModelInput, first: ChatModelOutput, last: ChatModelOutput
    ) -> ChatModelOutput:
        outcome = both(outcome_of(first), outcome_of(last))
        self._require_visible(asked, outcome)
        attach(last, outcome)
        if first is not last:
            last.usage = last.usage.merge(first.usage) if outcome.usage else ChatModelUsage()
        return last

    async def _answer(self, asked: ChatModelInput, refused: Refused, ask: Ask) -> ChatModelOutput:
        request = self._request(asked, refused, ask, stream=False)
        call = translation(request)
        answer = call.answer(parsed(await self._sender.whole(call.transmission)))
        outcome = self._outcome(call, ask)
        output = self._transform_output(answer)
        require_few(calls_in(output))
        return self._finished(asked, _known(output, outcome))

    async def _outputs(
        self, asked: ChatModelInput, refused: Refused, ask: Ask
    ) -> AsyncGenerator[ChatModelOutput]:
        """Yield what can be used by itself; a tool call is held back until it is whole.

        The last output holds no text: it says how the answer ended, and what was counted.
        """
        held, begun = None, False
        calls: set[str] = set()
        request = self._request(asked, refused, ask, stream=True)
        call = translation(request)
        async with aclosing(self._pieces(call)) as pieces:
            async for piece in pieces:
                output = self._transform_output(piece)
                calls |= calls_in(output)
                require_few(calls)
                if held is not None:
                    held.merge(output)
                    output = held
                if not begun:
                    begin(output, call.beginning())
                    begun = True
                held = None if _is_presentable(asked, output) else output
                if held is None:
                    yield output
        outcome = self._outcome(call, ask)
        closing = self._transform_output(ModelResponseStream(choices=[], usage=call.counted))
        closing = self._finished(asked, _known(closing, outcome))
        if held is not None:
            yield require_valid(held)
        yield closing

    def _outcome(self, call: Translation, ask: Ask) -> Outcome:
        """Return what came back, and remember what it shows of the model.

        Raises:
            ContextTruncated: The prompt was cut.
        """
        outcome = call.outcome()
        ask.usage = outcome.usage
        self.aurora_site.learn_from(outcome)
        require_whole_prompt(call.request, outcome.usage)
        return outcome

    def _finished(self, asked: ChatModelInput, output: ChatModelOutput) -> ChatModelOutput:
        """Return an output that is no half of something; with its JSON, where that was asked for.

        Raises:
            AnswerCut: A limit cut off JSON or a tool call.
            UnusableToolCall: The arguments of a tool call are no JSON.
        """
        outcome = outcome_of(output)
        if says_nothing(outcome):
            return output
        as_json = bool(asked.response_format and asked.validate_response_format)
        require_whole(outcome, self.aurora_site.reference, structured=as_json)
        if as_json:  # else the caller looks for its JSON in the text
            output.output_structured = structured(asked.response_format, outcome.text)
        return require_valid(output)

    async def _pieces(self, call: Translation) -> AsyncGenerator[ModelResponseStream]:
        """Yield what the stream says, without its usage: vendors repeat that."""
        patience, done = Patience(self.aurora_site.reference.limits), False
        async with aclosing(self._sender.events(call.transmission)) as events:
            while (data := await patience.next(events)) is not None:
                if data == DONE:
                    done = True
                    continue
                piece = call.piece(parsed(data))
                if call.wrote:
                    patience.thinks()  # what is held back may be thoughts
                if piece is not None and _says_something(piece):
                    if not call.began:
                        note_first_piece()
                    call.began = True
                    _note(piece, patience)
                    yield piece
        if not call.closed:
            raise unexplained_end(self.aurora_site.reference) if done else StreamBrokenOff
        if (rest := call.rest()) is not None:
            yield rest

    def _size(self, asked: ChatModelInput, refused: AbstractSet[Refusable]) -> Size:
        """Return the most that the next transmission of a call may cost."""
        adapted: dict[str, Any] = self._transform_input(asked)
        options = self._options(adapted, asked)
        messages, reference = adapted["messages"], self.aurora_site.reference
        by_caller = asked.max_tokens is not None
        return size_of(reference, messages, options, refused, by_caller=by_caller)

    def _options(self, adapted: Mapping[str, Any], asked: ChatModelInput) -> dict[str, Any]:
        """Return what a call asks beside its messages."""
        said = {**translated(adapted, asked.model_fields_set), **said_verbatim()}
        return self.aurora_site.standing.under(said)

    def _request(
        self, asked: ChatModelInput, refused: Refused, ask: Ask, *, stream: bool
    ) -> ModelRequest:
        adapted: dict[str, Any] = self._transform_input(asked)
        require_inline(adapted["messages"])
        require_images_taken(adapted["messages"], self.aurora_site.reference)
        options = self._options(adapted, asked)
        if ask.max_tokens is not None:
            options["max_tokens"] = ask.max_tokens
        request = ModelRequest(
            self.aurora_site.reference,
            adapted["messages"],
            options,
            stream,
            cache_points(adapted),
            thinks_untagged=self.aurora_site.known.thinks_untagged,
        )
        return without(request, refused)

    @property
    def _sender(self) -> Sender:
        return Sender(self.aurora_site.reference, self.aurora_site.reach)


def _known(output: ChatModelOutput, outcome: Outcome) -> ChatModelOutput:
    """Say in BeeAI's fields, too, what came back; it holds zeros where nothing was counted."""
    output.finish_reason = outcome.finish.value
    if outcome.usage is None:
        output.usage = ChatModelUsage()
    attach(output, outcome)
    return output


def _says_something(piece: ModelResponseStream) -> bool:
    if not piece.choices:
        return False
    choice = piece.choices[0]
    delta = choice.delta
    return bool(
        choice.finish_reason
        or delta.content
        or delta.tool_calls
        or getattr(delta, "reasoning_content", None)
        or getattr(delta, "thinking_blocks", None)
    )


def _note(piece: ModelResponseStream, patience: Patience) -> None:
    delta = piece.choices[0].delta
    if delta.content or delta.tool_calls:
        patience.answers()
    else:
        patience.thinks()


def _is_presentable(asked: ChatModelInput, output: ChatModelOutput) -> bool:
    return asked.stream_partial_tool_calls or output.is_valid()

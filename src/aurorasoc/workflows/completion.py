"""One completion for a caller who runs the tools: its options reach the vendor as they are.

`chat` is for conversations in text; this is for agents that are written elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from aurorasoc.config.vocabulary import ConnectionName, Role
from aurorasoc.errors import Attempt
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.pool import get_chat_model
from aurorasoc.llm.wire.answers.outcome import Finish, beginning_of, outcome_of
from aurorasoc.llm.wire.answers.tool_calls import ToolCall
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.call_notes import CallNotes
from aurorasoc.runtime import current_runtime

if TYPE_CHECKING:
    from beeai_framework.backend.types import ChatModelOutput

    from aurorasoc.llm.models.handle import LiveChatModel

_WITHOUT_STRICT: Final = frozenset({"messages", "generate_content"})


@dataclass(frozen=True, slots=True)
class Part:
    """A text, or an image as a `data:` URL."""

    kind: Literal["text", "image"]
    value: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message.

    Attributes:
        tool_calls: What an assistant wanted called.
        call_id: Which of these calls a tool's message answers.
        tool: The tool that was called.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for.

    Attributes:
        options: Options of `LiveChatModel.run`.
        verbatim: Options that reach the vendor as they are.
    """

    turns: Sequence[Turn]
    options: Mapping[str, Any] = field(default_factory=dict)
    verbatim: Mapping[str, Any] = field(default_factory=dict)

    def unheeded_by(self, binding: Binding) -> frozenset[str]:
        """Return what a model's server isn't told, or takes and is known not to obey.

        Ollama lets a model answer as it likes, whatever the tool choice says. Anthropic's and
        Gemini's formats have no word for `strict`; Anthropic's has none for an image's `detail`,
        and takes no `stop` of blanks alone.
        """
        choice = self.verbatim.get("tool_choice", "auto")
        kind: Any = choice if isinstance(choice, str) else "single"
        obeyed = kind == "auto" or kind in binding.model.tool_choice_support
        unheeded = set[str]() if obeyed else {"tool_choice"}
        wire = CATALOG[binding.reference.provider].wire
        if wire in _WITHOUT_STRICT and any(
            tool["function"].get("strict") for tool in self.verbatim.get("tools", ())
        ):
            unheeded.add("strict")
        if wire == "messages":
            if any(part.detail for turn in self.turns for part in turn.parts):
                unheeded.add("detail")
            if any(stop.isspace() for stop in self.options.get("stop_sequences", ())):
                unheeded.add("stop")
        return frozenset(unheeded)


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers. It is known with the first piece of a stream.

    Attributes:
        model: In the vendor's words.
        left_out: What the request held and the model refuses, isn't told, or is known not to obey.
        attempts: Everyone who was asked, in order; empty if the first one answers.
    """

    connection: ConnectionName
    model: str
    revision: int
    left_out: frozenset[str]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer; a tool call comes whole."""

    text: str
    thoughts: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended. `usage` is None where the provider counts nothing."""

    finish: Finish
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole answer."""

    answering: Answering
    said: Piece
    ending: Ending


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that has begun. Who doesn't read the pieces to their end closes them."""

    answering: Answering
    pieces: AsyncGenerator[Answering | Piece | Ending]


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion bound to one model: a switch doesn't affect it."""

    asked: Asked
    model: LiveChatModel

    async def whole(self) -> Whole:
        """Return the whole answer.

        Raises:
            ModelCallError: The provider failed.
            TlpRefused: The label forbids the call.
        """
        run = self.model.run(
            _messages(self.asked.turns), verbatim=self.asked.verbatim, **self.asked.options
        )
        output = await run
        outcome, binding = outcome_of(output), self.model.pinned
        unsaid = outcome.left_out | outcome.schema_left_out
        left_out = unsaid | self.asked.unheeded_by(binding)
        answering = _answering(binding, outcome.model, left_out, outcome.attempts)
        said = Piece(outcome.text, outcome.thoughts, _calls(output))
        return Whole(answering, said, Ending(outcome.finish, outcome.usage))

    async def stream(self, *, checked: bool = False) -> Stream:
        """Return a stream once its first piece is there.

        Args:
            checked: Whether nothing is there before the answer is whole.

        Raises:
            ModelCallError, TlpRefused: As `whole` does; the pieces raise what happens later.
        """
        pieces = self._pieces(checked=checked)
        try:
            answering = await anext(pieces)
        except BaseException:
            await pieces.aclose()
            raise
        assert isinstance(answering, Answering)  # noqa: S101 - `_pieces` begins with it
        return Stream(answering, pieces)

    async def _pieces(self, *, checked: bool) -> AsyncGenerator[Answering | Piece | Ending]:
        from aurorasoc.llm.models.handle import notes_of  # noqa: PLC0415 - BeeAI costs two seconds

        run = self.model.run(
            _messages(self.asked.turns),
            verbatim=self.asked.verbatim,
            stream=True,
            checked=checked,
            **self.asked.options,
        )
        first, notes, begun = self.model.pinned, notes_of(run), False
        async with aclosing(aiter(run)) as events:  # leaving early ends the call
            async for data, event in events:
                if event.name == "success":
                    outcome = outcome_of(data.value)
                elif event.name == "new_token":
                    if not begun:
                        begun = True
                        yield self._beginning(data.value, first, notes)
                    yield _piece(data.value)
        yield Ending(outcome.finish, outcome.usage)  # only now is the answer known to be valid

    def _beginning(self, output: ChatModelOutput, first: Binding, notes: CallNotes) -> Answering:
        """Return who answers, as a stream's first output says it.

        Args:
            output: The first output.
            first: The model that was called.
            notes: What is known of the call.
        """
        binding = notes.asking if isinstance(notes.asking, Binding) else first
        beginning = beginning_of(output)
        model = binding.reference.model if beginning is None else beginning.model
        left_out = self.asked.unheeded_by(binding)
        if beginning is not None:
            left_out |= beginning.left_out | beginning.schema_left_out
        tried = notes.tried and (*notes.tried, _answers(binding))
        return _answering(binding, model, left_out, tried)


async def begin(
    asked: Asked, *, role: Role = "specialist", agent: str | None = None, tlp: str | None = None
) -> Completion:
    """Bind a completion to the model in force for a role or an agent, and a label.

    Raises:
        NoModelConfigured, ProviderNotReady, BackendUnavailable: There is no model to ask.
        TlpRefused: The label forbids every backend at hand.
    """
    await current_runtime().pool.prepare(tlp, role, agent)
    return Completion(asked, await get_chat_model(role, tlp=tlp, agent=agent).clone())


def _answering(
    binding: Binding, model: str, left_out: frozenset[str], attempts: tuple[Attempt, ...]
) -> Answering:
    return Answering(binding.reference.connection, model, binding.revision, left_out, attempts)


def _answers(binding: Binding) -> Attempt:
    """Return the attempt that succeeds; how long it takes isn't known yet."""
    return Attempt(binding.reference.connection, binding.reference.model, None, 0.0)


def _piece(output: ChatModelOutput) -> Piece:
    return Piece(output.get_text_content(), output.get_reasoning_content(), _calls(output))


def _calls(output: ChatModelOutput) -> tuple[ToolCall, ...]:
    calls = output.get_tool_calls()
    return tuple(ToolCall(call.id, call.tool_name, call.args) for call in calls)


def _messages(turns: Sequence[Turn]) -> list[Any]:
    from beeai_framework.backend import message  # noqa: PLC0415 - BeeAI costs two seconds

    def shown(part: Part) -> Any:  # noqa: ANN401 - one of BeeAI's contents
        if part.kind == "text":
            return message.MessageTextContent(text=part.value)
        image: Any = {"url": part.value}
        if part.detail is not None:
            image["detail"] = part.detail
        return message.MessageImageContent(image_url=image)

    def said(turn: Turn) -> Any:  # noqa: ANN401 - one of BeeAI's messages
        contents = [shown(part) for part in turn.parts]
        if turn.role == "system":
            return message.SystemMessage(contents)
        if turn.role == "user":
            return message.UserMessage(contents)
        if turn.role == "tool":
            result = "\n".join(part.value for part in turn.parts)
            return message.ToolMessage(
                message.MessageToolResultContent(
                    result=result, tool_name=turn.tool, tool_call_id=turn.call_id
                )
            )
        calls = [
            message.MessageToolCallContent(id=call.id, tool_name=call.name, args=call.arguments)
            for call in turn.tool_calls
        ]
        return message.AssistantMessage([*contents, *calls])

    return [said(turn) for turn in turns]

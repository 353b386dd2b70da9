"""A live handle: a ChatModel that always uses the current model.

Keep it as long as you like. `run()` calls the model in force at that moment, and every attribute
is that model's. An agent's run and a `clone()` are pinned: they finish on the model on which they
began (docs/decisions/026).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from beeai_framework.backend.chat import ChatModel
from beeai_framework.backend.constants import ProviderName
from beeai_framework.backend.errors import ChatModelToolCallError
from beeai_framework.backend.events import chat_model_event_types
from beeai_framework.backend.message import Message
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.context import Run, RunContext, storage
from beeai_framework.emitter import Emitter, EmitterOptions, EventMeta
from beeai_framework.errors import AbortError, FrameworkError

from aurorasoc.errors import AuroraError, BadResponse, our_error
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.pins import Pin
from aurorasoc.llm.wire import call_notes
from aurorasoc.llm.wire.asking.options import require_known
from aurorasoc.llm.wire.call_notes import CallNotes
from aurorasoc.llm.wire.sending.open_answers import to_its_end

_ATTRIBUTES: Final = frozenset({"_current", "_pin", "_runs", "_emitter"})
_NOTHING: Final[Mapping[str, Any]] = {}
_IN_ORDER: Final = EmitterOptions(is_blocking=True, persistent=True, match_nested=False)


class BadToolCall(BadResponse, ChatModelToolCallError):
    """The model's tool call can't be used. BeeAI's agents recover from it as from their own error.

    Args:
        detail: What happened, in our words.
        error: BeeAI's error, whose generated content is kept.
        binding: The model that was called.
    """

    def __init__(self, detail: str, error: ChatModelToolCallError, binding: Binding) -> None:
        ChatModelToolCallError.__init__(
            self,
            detail,
            generated_error=error.generated_error,
            generated_content=error.generated_content,
            is_retryable=error.retryable,
            response=error.response,
        )
        self.detail = detail
        self.provider, self.model = binding.reference.provider, binding.reference.model

    def __str__(self) -> str:
        """Return our text only; the generated content stays in the attributes."""
        return self.detail


class LiveChatModel(ChatModel):
    """Uses the model that `current` returns.

    It has no state of its own: attributes that are not defined here are the current model's.

    Args:
        current: Returns the binding in force; raises what `run()` should raise.
        pin: Returns a `current` that keeps to a binding.
    """

    def __init__(  # the base's state would be a stale copy of the current model's
        self, current: Callable[[], Binding], pin: Callable[[Binding], Callable[[], Binding]]
    ) -> None:
        self._current = current
        self._pin = pin
        self._runs: dict[RunContext, Callable[[], Binding]] = {}
        self._emitter = Emitter(  # not a child of the root, which gets the models' events already
            namespace=["backend", "aurorasoc", "chat"], creator=self, events=chat_model_event_types
        )

    @property
    def binding(self) -> Binding:
        """The model in force, its reference, and the revision it comes from."""
        return self._bound()()

    @property
    def pinned(self) -> Binding:
        """The model that a clone is pinned to: who answered last, if it fell over.

        It may be that no call may be made to it any more.
        """
        return self._current.binding if isinstance(self._current, Pin) else self._current()

    @property
    def model_id(self) -> str:
        """The current model's name."""
        return self._model.model_id

    @property
    def provider_id(self) -> ProviderName:
        """The name of the current model's adapter."""
        return self._model.provider_id

    @property
    def tool_choice_support(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - a ClassVar there
        """The tool choices that the current model's adapter supports."""
        return self._model.tool_choice_support

    @property
    def emitter(self) -> Emitter:
        """The handle's emitter: it gets the events of every current model, across switches."""
        return self._emitter

    def run(
        self,
        *args: Any,
        checked: bool = False,
        verbatim: Mapping[str, Any] = _NOTHING,
        **kwargs: Any,
    ) -> Run[ChatModelOutput]:
        """Run the model in force, with the arguments of `ChatModel.run`.

        Args:
            args: The messages.
            checked: Whether a stream is held back until its answer is whole. Only then can another
                model stand in for one that breaks off in mid-answer.
            verbatim: Options in OpenAI's names that go out as they are, past BeeAI's handling of
                them: `tools`, `tool_choice`, `parallel_tool_calls`, `response_format`. Nothing is
                checked of the answer's tool calls or JSON but that it is some.
            kwargs: The options of `ChatModel.run`.

        Raises:
            TypeError: The argument isn't a list of messages.
            ModelCallError: When awaited: the provider failed.
            InvalidInput: An option isn't one of `ChatModel.run`.
            ProviderNotReady: No call can be made now.
            TlpRefused: The label forbids it.
        """
        _require_messages(args)
        require_known(kwargs)
        bound = self._bound()
        binding = bound()
        run = binding.model.run(*args, **kwargs)
        notes = CallNotes(checked, verbatim, declined=isinstance(bound, Pin) and bound.declined)
        run.handler = _Call(run.handler, bound, binding, notes)
        run._run_context.emitter.on(self._is_heard, self._forward, _IN_ORDER)  # noqa: SLF001 - `Run.on` goes through a thread
        return run

    def __repr__(self) -> str:
        """Return which model is in force, or why none is."""
        try:
            binding = self.binding
        except AuroraError as error:
            return f"<LiveChatModel: {error.code}>"
        reference = binding.reference
        return (
            f"<LiveChatModel {reference.model} of {reference.connection}, "
            f"revision {binding.revision}>"
        )

    async def clone(self) -> LiveChatModel:
        """Return a handle pinned to the model in force now; a deleted key or a policy ends it."""
        return LiveChatModel(self._pin(self.binding), self._pin)

    def config(self, **_kwargs: Any) -> NoReturn:
        """Refuse: there is nothing here to configure."""
        self._refuse()

    def _bound(self) -> Callable[[], Binding]:
        """Return what binds a call made now: the pin of the agent's run, or the handle's own."""
        agent_run = storage.get(None)
        return self._current if agent_run is None else self._pin_of(agent_run)

    def _pin_of(self, agent_run: RunContext) -> Callable[[], Binding]:
        def forget() -> None:
            self._runs.pop(agent_run, None)

        if agent_run not in self._runs:
            self._runs[agent_run] = self._pin(self._current())
            agent_run.signal.add_event_listener(forget)  # BeeAI aborts each run when it is over
        return self._runs[agent_run]

    def _is_heard(self, _event: EventMeta) -> bool:
        return bool(self._emitter._listeners)  # noqa: SLF001 - skips the cost of events that nobody hears

    async def _forward(self, data: Any, event: EventMeta) -> None:  # noqa: ANN401 - any event's data
        """Forward a model's event under this handle's namespace, for `on("new_token", …)`."""
        *run, _backend, _provider, _chat, name = event.path.split(".")
        path = ".".join([*run, *self._emitter.namespace, name])
        await self._emitter._invoke(data, event.model_copy(update={"path": path}))  # noqa: SLF001 - as `Emitter.pipe` does

    def _create_emitter(self) -> Emitter:
        return self._emitter

    async def _create(self, *args: Any) -> ChatModelOutput:
        return await self._model._create(*args)  # noqa: SLF001 - an override of the same

    def _create_stream(self, *args: Any) -> AsyncGenerator[ChatModelOutput]:
        return self._model._create_stream(*args)  # noqa: SLF001 - an override of the same

    @property
    def _model(self) -> ChatModel:
        return self.binding.model

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of any model
        return getattr(self._model, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _ATTRIBUTES:
            self._refuse()
        object.__setattr__(self, name, value)

    def _refuse(self) -> NoReturn:
        msg = (
            "A live handle is shared and has no state of its own. Pass options to run(), "
            "or to the agent that uses it."
        )
        raise AttributeError(msg)


def _require_messages(arguments: Sequence[Any]) -> None:
    """Refuse what is no list of messages, before a provider is blamed for it.

    Args:
        arguments: The positional arguments of `run()`.

    Raises:
        TypeError: It isn't exactly one list of at least one message.
    """
    messages = arguments[0] if len(arguments) == 1 else None
    if isinstance(messages, list) and messages and all(isinstance(m, Message) for m in messages):
        return
    msg = 'run() takes a list of BeeAI messages, such as run([UserMessage("Is this benign?")])'
    raise TypeError(msg)


def notes_of(run: Run[ChatModelOutput]) -> CallNotes:
    """Return what a handle and the wire tell each other of a call that the handle made."""
    handler = run.handler
    assert isinstance(handler, _Call)  # noqa: S101 - set by `LiveChatModel.run`
    return handler.notes


class _Call:
    """One call: raises our own errors in place of BeeAI's, and moves a pin that it fell over.

    Args:
        handler: Makes the call.
        bound: Binds further calls.
        binding: The model that is called.
        notes: What is told to the wire, and by it.
    """

    def __init__(
        self,
        handler: Callable[[], Awaitable[ChatModelOutput]],
        bound: Callable[[], Binding],
        binding: Binding,
        notes: CallNotes,
    ) -> None:
        self._handler, self._bound = handler, bound
        self._binding, self.notes = binding, notes

    async def __call__(self) -> ChatModelOutput:
        try:
            return await to_its_end(self._noted)
        except AbortError:
            raise
        except FrameworkError as error:
            failure = our_error(error) or _unusable(error, self._answering)
        finally:
            onward = self.notes.goes_on_with
            if isinstance(self._bound, Pin) and isinstance(onward, Binding):
                self._bound.move(onward, declined=self.notes.declined)
        raise failure.with_traceback(None)  # BeeAI's frames hold the model, and so its key

    async def _noted(self) -> ChatModelOutput:
        call_notes.notes.set(self.notes)  # in the call's own task
        return await self._handler()

    @property
    def _answering(self) -> Binding:
        member = self.notes.answered_by
        return member if isinstance(member, Binding) else self._binding


def _unusable(error: FrameworkError, binding: Binding) -> AuroraError:
    """Return our error for an answer that BeeAI could not use."""
    reference = binding.reference
    if isinstance(error, ChatModelToolCallError):
        detail = f"{reference.model} of {reference.connection} made a tool call that can't be used."
        return BadToolCall(detail, error, binding)
    detail = (
        f"{reference.connection} answered, but not as asked ({type(error).__name__}). "
        f"The model {reference.model} may not support what the call needs."
    )
    return BadResponse(detail, provider=reference.provider, model=reference.model)

"""Three steps of BeeAI's that take too long. What replaces them gives the same results sooner.

Two take time squared, and would hold the event loop for seconds: it repairs JSON that a model got
wrong, which is refused if it can't be repaired in time, and joins the pieces of a stream. The third
is for each event and each token: an emitter passes every event on to the emitters above it, each
time in a task of its own, though nobody listens there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import groupby
from typing import Any, Final

MAX_REPAIRED_PARTS: Final = 256
"""Lists and objects of JSON that is repaired; each level takes as long as all before it."""


class _BoundedRepair:
    """Stands for `json_repair` in BeeAI's code."""

    def __init__(self) -> None:
        self._loads: Any = import_module("json_repair").loads
        self._valid: Any = import_module("json").loads

    def loads(self, text: str, **options: Any) -> Any:  # noqa: ANN401 - whatever JSON says
        """Parse, and repair where that ends soon.

        Raises:
            ValueError: It isn't JSON, and is nested too often to be repaired.
        """
        if text.count("{") + text.count("[") <= MAX_REPAIRED_PARTS:
            return self._loads(text, **options)
        return self._valid(text)


def install() -> None:
    """Replace all three. Call once, after the import."""
    import_module("beeai_framework.backend.utils").json_repair = _BoundedRepair()  # type: ignore[attr-defined]  # a module it imports
    output: Any = import_module("beeai_framework.backend.types").ChatModelOutput
    join = output.from_chunks.__func__

    def from_chunks(cls: Any, chunks: Iterable[Any]) -> Any:  # noqa: ANN401 - BeeAI's types
        pieces = list(_joined(chunks))
        whole = join(cls, pieces)
        for piece in pieces:
            whole.context.update(piece.context)  # BeeAI's own drops it
        return whole

    output.from_chunks = classmethod(from_chunks)
    _pass_on_to_listeners_only(import_module("beeai_framework.emitter").Emitter)


def _joined(chunks: Iterable[Any]) -> Iterator[Any]:
    """Join neighbours that hold nothing but text of one kind."""
    for kind, run in groupby(chunks, _kind_of_text):
        first, *others = run
        if kind is None or not others:
            yield from (first, *others)
            continue
        whole = first.model_copy(deep=True)
        (part,) = whole.output[0].content
        part.text = "".join(chunk.output[0].content[0].text for chunk in (first, *others))
        yield whole


def _kind_of_text(chunk: Any) -> str | None:  # noqa: ANN401 - a ChatModelOutput
    """Return `text` or `reasoning`, if that is all there is in a piece of a stream."""
    if chunk.finish_reason or chunk.output_structured is not None or chunk.usage.total_tokens:
        return None
    if chunk.context:
        return None
    if len(chunk.output) != 1 or len(chunk.output[0].content) != 1:
        return None
    if set(chunk.output[0].meta) - {"createdAt"}:
        return None
    kind = chunk.output[0].content[0].type
    return kind if kind in {"text", "reasoning"} else None


def _pass_on_to_listeners_only(emitter: Any) -> None:  # noqa: ANN401 - BeeAI's class
    """Make emitters pass an event on without a task, and only to where somebody listens.

    BeeAI joins emitters by registering the `_invoke` of the upper one as a listener.
    """
    invoke = emitter._invoke  # noqa: SLF001 - BeeAI's emitters have no public way to join

    async def pass_on(self: Any, data: Any, event: Any) -> None:  # noqa: ANN401 - BeeAI's types
        called = [listener for listener in self._listeners if _would_call(listener, event)]
        if len(called) == 1 and (above := _above(called[0])) is not None:
            await pass_on(above, data, event)
        elif called:
            await invoke(self, data, event)

    def _would_call(listener: Any, event: Any) -> bool:  # noqa: ANN401 - BeeAI's types
        if not listener.match(event):
            return False
        above = _above(listener)
        if above is None:
            return True
        return any(_would_call(further, event) for further in above._listeners)  # noqa: SLF001 - as above

    def _above(listener: Any) -> Any:  # noqa: ANN401 - an emitter, if that is who listens
        if getattr(listener.callback, "__func__", None) is pass_on:
            return listener.callback.__self__
        return None

    emitter._invoke = pass_on  # noqa: SLF001 - as above

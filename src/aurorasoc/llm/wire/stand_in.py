"""A model that is asked in place of another, with the input that BeeAI prepared for that one.

Not every adapter takes a tool choice. To such a model, BeeAI puts the choice as a schema, and makes
a tool call of the JSON that it answers: for the model whose run it is, so here for who stands in.

Importing this imports BeeAI; `adapter` does so behind its guard.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from beeai_framework.backend.types import ChatModelInput, ChatModelOutput


class StandIn:
    """One call of another model's, put to this one.

    Args:
        model: Who is asked: a `SentByUs`, with its adapter's methods.
        asked: The call, as it was prepared for the other.
    """

    def __init__(self, model: Any, asked: ChatModelInput) -> None:  # noqa: ANN401 - see above
        self._model = model
        self._asked, self._config = asked, None
        if self._needs_schema(asked):
            options = {n: getattr(asked, n) for n in asked.model_fields_set if n != "messages"}
            prepare = self._model._prepare_model_input  # noqa: SLF001 - as its own `run` does
            self._asked, self._config = prepare(asked.messages, options)

    async def answer(self) -> ChatModelOutput:
        """Return the whole answer.

        Raises:
            ModelCallError: The model failed.
        """
        output: ChatModelOutput = await self._model.aurora_answer(self._asked)
        return output

    async def stream(self) -> AsyncGenerator[ChatModelOutput]:
        """Stream the answer. One that is to become a tool call comes at once, when it is whole.

        Raises:
            ModelCallError: The model failed, possibly after some pieces.
        """
        async with aclosing(self._model.aurora_stream(self._asked)) as outputs:
            if self._config is None:
                async for output in outputs:
                    yield output
                return
            pieces = [output async for output in outputs]
        yield ChatModelOutput.from_chunks(pieces)

    async def finished(self, output: ChatModelOutput) -> ChatModelOutput:
        """Return the answer as the other model would have given it.

        Raises:
            ChatModelError: It isn't the tool call that was asked for.
        """
        if self._config is None:
            return output
        whole = self._asked.model_copy(update={"stream": False})
        kept = _Kept(output)
        finish = self._model._ChatModel__run  # noqa: SLF001 - the only place that makes the call
        result: ChatModelOutput = await finish(
            whole, response=self._config, cache=kept, context=None
        )
        return result

    def _needs_schema(self, asked: ChatModelInput) -> bool:
        is_forced = self._model._force_tool_call_via_response_format  # noqa: SLF001 - as above
        forced: bool = is_forced(
            tool_choice=asked.tool_choice,
            tools=asked.tools or [],
            has_custom_response_format=bool(asked.response_format),
        )
        return forced


class _Kept:
    """An answer that BeeAI finds in its cache: it only makes a tool call of it."""

    def __init__(self, output: ChatModelOutput) -> None:
        self._output = output

    async def get(self) -> list[ChatModelOutput]:
        return [self._output]

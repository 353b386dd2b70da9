"""A request without what its model refuses: left out, or said in the way that is left.

Structured output steps down from a JSON schema to plain JSON mode, with the schema in the prompt,
to the prompt alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aurorasoc.config.call_options import StructuredOutput
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.learned import Knowledge, Learned, Lesson, Place, Refusable
from aurorasoc.llm.wire.asking.request import BOUNDS, OPTIONS, ModelRequest, asked_for
from aurorasoc.llm.wire.asking.tool_call_ids import with_plain_ids
from aurorasoc.llm.wire.failures.refusals import OptionRefused

_ABOVE: Final[dict[StructuredOutput, frozenset[Refusable]]] = {
    "json_schema": frozenset(),
    "json_object": frozenset({Refusable.JSON_SCHEMA}),
    "prompt": frozenset({Refusable.JSON_SCHEMA, Refusable.JSON_OBJECT}),
}
"""What isn't tried, as structured output begins at a lower step."""

MOST: Final = 8
"""Options that one call leaves out anew; each costs a refused transmission."""


class LeftOut:
    """What one call leaves out: what is known, and what is refused on the way.

    Args:
        learned: What is known of models; told what this call learnt once it is answered.
        reference: The model that is called.
    """

    def __init__(self, learned: Learned, reference: ModelReference) -> None:
        self._learned, self._place = learned, Place.of(reference)
        self._refused: dict[Refusable, bool] = {}
        self._above = _ABOVE[_first_step(reference)]

    @property
    def options(self) -> frozenset[Refusable]:
        """What isn't sent."""
        known: Knowledge = self._learned.of(self._place)
        return known.refused | frozenset(self._refused) | self._above

    def add(self, refusal: OptionRefused) -> None:
        """Leave one more out.

        Raises:
            OptionRefused: It isn't sent as it is, or this call has left out too many.
        """
        if refusal.option in self.options or len(self._refused) >= MOST:
            raise refusal
        self._refused[refusal.option] = refusal.lasting

    def answered(self) -> None:
        """Remember what was refused: without it the model answers, so that was the reason."""
        lasting = frozenset(option for option, lasts in self._refused.items() if lasts)
        if lasting:
            self._learned.learn(Lesson(self._place, refused=lasting))


def _first_step(reference: ModelReference) -> StructuredOutput:
    """Return the step at which structured output begins: the connection's, else the provider's."""
    chosen = reference.options.structured_output
    if chosen is None or chosen == "auto":
        return "json_schema" if CATALOG[reference.provider].json_schema else "json_object"
    return chosen


def without(request: ModelRequest, refused: frozenset[Refusable]) -> ModelRequest:
    """Return a request that holds nothing of what its model refuses."""
    options = {
        name: value
        for name, value in request.options.items()
        if not (name in OPTIONS and Refusable(name) in refused - BOUNDS)
    }
    if refused >= BOUNDS:
        options.pop("max_tokens", None)
    messages = request.messages
    schema = _schema(options)
    kind = _kind(options.pop("response_format", None), refused)
    if kind is not None:
        options["response_format"] = kind
    if schema is not None and (kind is None or kind["type"] != "json_schema"):
        messages = _with_order(messages, schema)
    if Refusable.SYSTEM_ROLE in refused:
        messages = _folded(messages)
    if Refusable.TOOL_CALL_IDS in refused:
        messages = with_plain_ids(messages)
    left_out = _left_out(request, refused) if refused else refused
    return replace(request, messages=messages, options=options, refused=refused, left_out=left_out)


def _left_out(request: ModelRequest, refused: frozenset[Refusable]) -> frozenset[Refusable]:
    """Return what of a caller's request the model refuses."""
    left_out = refused & asked_for(request)
    if Refusable.JSON_SCHEMA in left_out:
        left_out |= refused & {Refusable.JSON_OBJECT}  # the next step down
    return left_out


def _schema(options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    requested = options.get("response_format")
    if not isinstance(requested, Mapping) or requested.get("type") != "json_schema":
        return None
    schema: Mapping[str, Any] = requested["json_schema"]["schema"]
    return schema


def _kind(requested: Any, refused: frozenset[Refusable]) -> dict[str, Any] | None:  # noqa: ANN401 - any JSON
    """Return the response format that is still taken; None: the prompt alone asks for it."""
    if not isinstance(requested, dict):
        return requested  # type: ignore[no-any-return]
    kind = requested.get("type")
    if kind == "json_schema" and Refusable.JSON_SCHEMA in refused:
        requested, kind = {"type": "json_object"}, "json_object"
    return None if kind == "json_object" and Refusable.JSON_OBJECT in refused else requested


def _with_order(
    messages: Sequence[dict[str, Any]], schema: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Ask for the schema behind everything else; roles alternate as before."""
    order = f"Answer with one JSON object that fits this JSON schema: {json.dumps(schema)}"
    *before, last = messages
    if last.get("role") != "user":
        return [*messages, {"role": "user", "content": order}]
    return [*before, last | {"content": _joined(last.get("content"), order)}]


def _folded(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say in the first user message what system messages said."""
    instructions = [_text(m.get("content")) for m in messages if m.get("role") == "system"]
    others = [message for message in messages if message.get("role") != "system"]
    if not instructions:
        return others
    text = "\n\n".join(instructions)
    for index, message in enumerate(others):
        if message.get("role") == "user":
            content = _joined(text, message.get("content"))
            return [*others[:index], message | {"content": content}, *others[index + 1 :]]
    return [{"role": "user", "content": text}, *others]


def _joined(first: Any, second: Any) -> Any:  # noqa: ANN401 - a message's content
    """Join two contents: as text, unless one of them holds more than text."""
    if _is_text(first) and _is_text(second):
        return f"{_text(first)}\n\n{_text(second)}"
    return [*_as_parts(first), *_as_parts(second)]


def plain_text(content: Any) -> Any:  # noqa: ANN401 - a message's content
    """Return text parts as one text: servers that know no parts take it, and all others do."""
    return (
        _text(content) if isinstance(content, list) and content and _is_text(content) else content
    )


def _is_text(content: Any) -> bool:  # noqa: ANN401 - a message's content
    if isinstance(content, list):
        return all(
            isinstance(part, Mapping) and part.keys() == {"type", "text"} for part in content
        )
    return isinstance(content, str) or content is None


def _text(content: Any) -> str:  # noqa: ANN401 - a message's content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content or ""


def _as_parts(content: Any) -> list[Any]:  # noqa: ANN401 - a message's content
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []

"""Anthropic Messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from litellm import AnthropicConfig, BadRequestError, ModelResponse, ModelResponseStream
from litellm.llms.anthropic.chat.handler import ModelResponseIterator
from litellm.llms.anthropic.chat.transformation import ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY

from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.reading import messages
from aurorasoc.llm.wire.answers.reading.fields import mapping, mappings
from aurorasoc.llm.wire.asking.request import ModelRequest, post
from aurorasoc.llm.wire.asking.schemas import left_out_of
from aurorasoc.llm.wire.formats.translation import (
    Translation,
    effort_refused,
    mapped,
    whole,
)
from aurorasoc.llm.wire.libraries.litellm_table import most_output_tokens

_CONFIG: Final = AnthropicConfig()
_UNCOUNTED: Final[dict[str, Any]] = {"usage": {"input_tokens": 0, "output_tokens": 0}}
"""What LiteLLM needs of an answer that counts nothing."""

_BETA: Final = "anthropic-beta"
_EPHEMERAL: Final = {"cache_control": {"type": "ephemeral"}}
_MOST_CACHE_POINTS: Final = 4
_NOT_WITH_THOUGHTS: Final = ("temperature", "top_k")
"""What the vendor refuses with thoughts (platform.claude.com, Extended thinking, "Feature
compatibility"); the outcome names it."""

_MAX_TOKENS: Final = 4096
"""The vendor wants a bound with every call; this is it for a model that the table doesn't know."""


class Messages(Translation):
    """One call in Anthropic's format."""

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self._events_read = messages.EventsRead(self.reading)
        model = request.reference.model
        options = mapped(_CONFIG, request, model)
        self._json_mode = bool(options.pop("json_mode", False))
        if "top_k" in request.options:
            options["top_k"] = request.options["top_k"]
        options.setdefault("max_tokens", _max_tokens(request.reference))
        self._names: dict[str, Any] = {"drop_params": True}
        headers: dict[str, str] = {}
        conversation = _with_cache_points(request)
        if options.get("thinking"):
            _require_room_for_thoughts(request, options)
            for name in _NOT_WITH_THOUGHTS:
                options.pop(name, None)
        body = self._body(conversation, options, headers)
        if request.stream:
            body["stream"] = True
        self.schema_left_out = left_out_of(request.options, _schemas(body))
        betas = _betas(headers) | _betas(request.reference.options.headers)
        betas |= set(
            _CONFIG.get_anthropic_beta_list(model, options, custom_llm_provider="anthropic")
        )
        beta = {_BETA: ",".join(sorted(betas))} if betas else {}
        self.transmission = post(request, "/messages", body, **beta)
        self._iterator = ModelResponseIterator(
            iter(()),
            sync_stream=True,
            json_mode=self._json_mode,
            tool_name_reverse_map=self._names.get(ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY),
        )

    def _body(
        self, conversation: list[dict[str, Any]], options: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        model = self.request.reference.model
        try:
            body: dict[str, Any] = _CONFIG.transform_request(
                model, conversation, options, self._names, headers
            )
        except BadRequestError:
            if "reasoning_effort" not in self.request.options:
                raise
            raise effort_refused(self.request) from None
        return body

    def read(self, document: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        messages.read(document, self.reading)

    def read_event(self, event: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        self._events_read.read(event)

    def translated(self, document: dict[str, Any]) -> ModelResponse:
        """Translate a whole answer."""
        counted = _UNCOUNTED | document
        return whole(_CONFIG, self.request, counted, self._names, json_mode=self._json_mode)

    def translated_event(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Translate one event; pings and the ends of blocks say nothing."""
        kind = event["type"]
        if kind == "message_stop":
            self.closed = True
            return None
        if kind == "ping":
            return None
        piece: ModelResponseStream = self._iterator.chunk_parser(event)
        return piece


def _schemas(body: Mapping[str, Any]) -> Iterator[object]:
    """Yield the schemas of a body: its answer's, and its tools'."""
    yield mapping(body.get("output_format")).get("schema")
    for tool in mappings(body.get("tools")):
        yield tool.get("input_schema")


def _with_cache_points(request: ModelRequest) -> list[dict[str, Any]]:
    """Mark where the prompt cache may end; the vendor takes four such marks."""
    conversation = list(request.messages)
    for index in request.cache_points[:_MOST_CACHE_POINTS]:
        if -len(conversation) <= index < len(conversation):
            conversation[index] = _marked(conversation[index])
    return conversation


def _betas(headers: Mapping[str, str]) -> set[str]:
    """Return what a list of the vendor's beta features names."""
    return {name.strip() for name in headers.get(_BETA, "").split(",")} - {""}


def _require_room_for_thoughts(request: ModelRequest, options: dict[str, Any]) -> None:
    """Leave an effort out whose budget is no less than the whole answer: the vendor refuses both.

    Source: platform.claude.com, Extended thinking, "budget_tokens".
    """
    if options["thinking"].get("budget_tokens", 0) >= options["max_tokens"]:
        raise effort_refused(request)


def _marked(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list) and content:
        return message | {"content": [*content[:-1], content[-1] | _EPHEMERAL]}
    return message | _EPHEMERAL


def _max_tokens(reference: ModelReference) -> int:
    """Return the longest answer of a model; LiteLLM's own default can be set by the environment."""
    return most_output_tokens(reference) or _MAX_TOKENS

"""Gemini generateContent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from litellm import GoogleAIStudioGeminiConfig, ModelResponse, ModelResponseStream
from litellm.llms.vertex_ai.gemini.transformation import transform_request_body
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import ModelResponseIterator

from aurorasoc.llm.wire.answers.reading import generate_content
from aurorasoc.llm.wire.answers.reading.fields import answer_among, mapping, mappings
from aurorasoc.llm.wire.asking.request import ModelRequest, post
from aurorasoc.llm.wire.asking.schemas import answers_schema, left_out_of
from aurorasoc.llm.wire.formats.translation import Translation, Unlogged, mapped, whole

_CONFIG: Final = GoogleAIStudioGeminiConfig()
_UNCOUNTED: Final[dict[str, Any]] = {"usageMetadata": {}}
"""What LiteLLM needs of an answer that counts nothing."""


class GenerateContent(Translation):
    """One call in Gemini's format."""

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        model = request.reference.model
        options = mapped(_CONFIG, request, model)
        if "top_k" in request.options:
            options["top_k"] = request.options["top_k"]
        options = _as_asked(request.options, options)
        body = transform_request_body(
            messages=list(request.messages),  # it takes system messages out of the list
            model=model,
            optional_params=options,
            custom_llm_provider="gemini",
            litellm_params={},
            cached_content=None,
        )
        self.schema_left_out = left_out_of(request.options, _schemas(body))
        verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        path = f"/v1beta/models/{quote(model, safe='')}:{verb}"
        self.transmission = post(request, path, body)
        self._iterator = ModelResponseIterator(iter(()), sync_stream=True, logging_obj=Unlogged())

    def read(self, document: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        generate_content.read(document, self.reading)

    def read_event(self, event: dict[str, Any]) -> None:
        """Read the vendor's own fields: the same as a whole answer's."""
        generate_content.read(event, self.reading)

    def translated(self, document: dict[str, Any]) -> ModelResponse:
        """Translate a whole answer."""
        document = _one_candidate(document)
        if not (document.get("candidates") or document.get("promptFeedback")):
            msg = "there is no candidate in the answer"
            raise ValueError(msg)
        return whole(_CONFIG, self.request, _UNCOUNTED | document)

    def translated_event(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Translate one event; LiteLLM's reading has a finish reason where the event has none."""
        event = _one_candidate(event)
        finished = any(candidate.get("finishReason") for candidate in event.get("candidates", ()))
        blocked = (event.get("promptFeedback") or {}).get("blockReason")
        self.closed |= finished or bool(blocked)
        piece: ModelResponseStream | None = self._iterator.chunk_parser(event)
        for choice in piece.choices if piece is not None and not (finished or blocked) else ():
            choice.finish_reason = None
        return piece


def _schemas(body: Mapping[str, Any]) -> Iterator[object]:
    """Yield the schemas of a body: its answer's, and its tools'."""
    yield mapping(body.get("generationConfig")).get("response_json_schema")
    for tools in mappings(body.get("tools")):
        for function in mappings(tools.get("function_declarations")):
            yield function.get("parameters")


def _as_asked(asked: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what LiteLLM adds and rewrites by the text of a model's name.

    It sends a temperature to every name but those of Gemini 2, and rewrites a JSON schema for
    them: a `const` becomes an object. The vendor takes JSON Schema itself
    (ai.google.dev/api/generate-content, "responseJsonSchema").
    """
    unasked = {"safety_settings"}  # a global of litellm's
    if "temperature" not in asked:
        unasked.add("temperature")
    schema = {}
    if (as_asked := answers_schema(asked)) is not None:
        unasked.add("response_schema")
        schema = {"response_json_schema": as_asked}
    return {name: value for name, value in options.items() if name not in unasked} | schema


def _one_candidate(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out others: one was asked for, and each costs time to translate."""
    if not document.get("candidates"):
        return document
    candidate = answer_among(document["candidates"])
    return document | {"candidates": [candidate] if candidate else []}

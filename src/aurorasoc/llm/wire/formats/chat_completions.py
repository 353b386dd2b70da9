"""Chat Completions: OpenAI and compatible servers, vLLM, Ollama, DeepSeek."""

from __future__ import annotations

from typing import Any, Final

from litellm import (
    DeepSeekChatConfig,
    ModelResponse,
    ModelResponseStream,
    OpenAIGPT5Config,
    OpenAIOSeriesConfig,
)
from litellm.llms.openai.chat.gpt_transformation import OpenAIGPTConfig, OpenAIUnknownModelConfig

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.formats.translation import Translation, mapped, whole
from aurorasoc.llm.wire.learned import Refusable
from aurorasoc.llm.wire.leave_out import plain_text
from aurorasoc.llm.wire.litellm_table import row_of
from aurorasoc.llm.wire.reading import chat_completions
from aurorasoc.llm.wire.request import ModelRequest, post

_DEEPSEEK: Final = DeepSeekChatConfig()
_KNOWN: Final = OpenAIGPTConfig()
_UNKNOWN: Final = OpenAIUnknownModelConfig()
_O_SERIES: Final = OpenAIOSeriesConfig()
_GPT_5: Final = OpenAIGPT5Config()
_EFFORT: Final = "_reasoning_effort"


class ChatCompletions(Translation):
    """One call in OpenAI's format."""

    done_closes = True

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self._config, name = translator_of(request.reference)
        options = mapped(self._config, request, name)
        if "top_k" in request.options:
            options["top_k"] = request.options["top_k"]  # vLLM's and others' own; OpenAI says no
        if request.stream:
            options["stream"] = True
            if Refusable.STREAM_OPTIONS not in request.refused:
                options["stream_options"] = {"include_usage": True}
        messages = [_with_plain_text(message) for message in request.messages]
        body = self._config.transform_request(
            request.reference.model, messages, options, _place(request.reference), {}
        )
        body = _bounded(body, request.refused)
        self._iterator = self._config.get_model_response_iterator(iter(()), sync_stream=True)
        self.transmission = post(request, "/chat/completions", body)

    def read(self, document: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        chat_completions.read(document, self.reading)

    def read_event(self, event: dict[str, Any]) -> None:
        """Read the vendor's own fields: the same as a whole answer's."""
        chat_completions.read(event, self.reading)

    def translated(self, document: dict[str, Any]) -> ModelResponse:
        """Translate a whole answer."""
        if not document["choices"]:
            msg = "there is no choice in the answer"
            raise ValueError(msg)
        one = document | {"choices": document["choices"][:1]}  # as many as were asked for
        return whole(self._config, self.request, one)

    def translated_event(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Translate one event; some servers end with the finish reason and no `[DONE]`."""
        choices = (event.get("choices") or [])[:1]
        if not choices and not event.get("usage"):
            return None  # a sign of life, or what a filter says of the prompt
        self.closed |= any(choice.get("finish_reason") for choice in choices)
        piece: ModelResponseStream = self._iterator.chunk_parser(event | {"choices": choices})
        return piece


def translator_of(reference: ModelReference) -> tuple[OpenAIGPTConfig, str]:
    """Return LiteLLM's translator, and the name by which it may look a model up.

    OpenAI's reasoning models take other options; the table says which they are. A name that
    isn't OpenAI's own says nothing, and the translator doesn't see it.
    """
    if reference.provider is ServingBackend.DEEPSEEK:
        return _DEEPSEEK, reference.model
    row = row_of("openai", reference.model)
    if reference.provider is not ServingBackend.OPENAI or not row:
        return _UNKNOWN, ""
    if any(name.endswith(_EFFORT) for name in row):
        return _GPT_5, reference.model
    return (_O_SERIES if row.get("supports_reasoning") else _KNOWN), reference.model


def _with_plain_text(message: dict[str, Any]) -> dict[str, Any]:
    """Send text as text: servers that know no parts take it, and all others do."""
    if "content" not in message:
        return message
    return message | {"content": plain_text(message["content"])}


def _bounded(body: dict[str, Any], refused: frozenset[Refusable]) -> dict[str, Any]:
    """Name the bound on the answer as this server takes it."""
    names = (Refusable.MAX_TOKENS, Refusable.MAX_COMPLETION_TOKENS)
    for name, other in (names, names[::-1]):
        if name in refused and name in body:
            return {n: v for n, v in body.items() if n != name} | {other.value: body[name]}
    return body


def _place(reference: ModelReference) -> dict[str, Any]:
    """Tell the translator whose schema rules hold there."""
    deepseek = reference.provider is ServingBackend.DEEPSEEK
    return {
        "custom_llm_provider": "deepseek" if deepseek else "openai",
        "api_base": reference.base_url,
    }

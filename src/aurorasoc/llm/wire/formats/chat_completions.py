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
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.reading import chat_completions
from aurorasoc.llm.wire.answers.reading.fields import answer_among
from aurorasoc.llm.wire.answers.reading.parts import parts_of
from aurorasoc.llm.wire.answers.thoughts import ThoughtSplitter, split_whole, unannounced_end
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.asking.leave_out import plain_text
from aurorasoc.llm.wire.asking.request import ModelRequest, post
from aurorasoc.llm.wire.formats.translation import Translation, mapped, whole
from aurorasoc.llm.wire.libraries.litellm_table import row_of

_DEEPSEEK: Final = DeepSeekChatConfig()
_KNOWN: Final = OpenAIGPTConfig()
_UNKNOWN: Final = OpenAIUnknownModelConfig()
_O_SERIES: Final = OpenAIOSeriesConfig()
_GPT_5: Final = OpenAIGPT5Config()
_THINKS: Final = {"type": "enabled"}
"""DeepSeek's switch, to which LiteLLM reduces an effort; the vendor takes both
(api-docs.deepseek.com, Thinking Mode)."""

_EFFORT: Final = "_reasoning_effort"


class ChatCompletions(Translation):
    """One call in OpenAI's format."""

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self._config, name = translator_of(request.reference)
        options = mapped(self._config, request, name)
        if "top_k" in request.options:
            options["top_k"] = request.options["top_k"]  # vLLM's and others' own; OpenAI says no
        if options.get("thinking") == _THINKS and "reasoning_effort" in request.options:
            options["reasoning_effort"] = request.options["reasoning_effort"]
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
        self._splitter = ThoughtSplitter(begins_with_thoughts=request.thinks_untagged)

    def read(self, document: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        chat_completions.read(document, self.reading)

    def read_event(self, event: dict[str, Any]) -> None:
        """Read the vendor's own fields: the same as a whole answer's."""
        chat_completions.read(event, self.reading)

    def translated(self, document: dict[str, Any]) -> ModelResponse:
        """Translate a whole answer."""
        choice = dict(answer_among(document["choices"]))
        message = _told_apart(choice["message"])
        if isinstance(message.get("content"), str):
            thoughts, text, self.reading.thoughts_untagged = split_whole(
                message["content"],
                begins_with_thoughts=self.request.thinks_untagged and not _has_thoughts(message),
                cut=self.reading.finish is Finish.LENGTH,
            )
            message = _with(message, thoughts, text)
        one = document | {"choices": [choice | {"message": message}]}
        return whole(self._config, self.request, one)

    def translated_event(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Translate one event; some servers end with the finish reason and no `[DONE]`."""
        choice = answer_among(event.get("choices"))
        self.wrote = False
        usage = chat_completions.count_in(event)
        if not choice and not usage:
            return None  # a sign of life, or what a filter says of the prompt
        choices = [self._split(dict(choice))] if choice else []
        seen = event | {"choices": choices, "usage": usage}
        piece: ModelResponseStream = self._iterator.chunk_parser(seen)
        return piece

    def rest(self) -> ModelResponseStream | None:
        """Return what was held back, because it might have been the beginning of thoughts."""
        thoughts, text = self._splitter.end(cut=self.reading.finish is Finish.LENGTH)
        shown = unannounced_end(self.reading.text + text) is not None
        self.reading.thoughts_untagged = self._splitter.untagged or shown
        if not thoughts and not text:
            return None
        delta = _with({}, thoughts, text)
        event = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        piece: ModelResponseStream = self._iterator.chunk_parser(event)
        self.reading.says(piece.choices[0].delta)
        return piece

    def _split(self, choice: dict[str, Any]) -> dict[str, Any]:
        self.closed |= self.reading.finish is not None
        delta = _told_apart(choice.get("delta") or {})
        if _has_thoughts(delta):
            self._splitter.told_apart()
        content = delta.get("content")
        if isinstance(content, str) and content:
            self.wrote = True
            delta = _with(delta, *self._splitter.feed(content))
        return choice | {"delta": delta}


def _has_thoughts(message: dict[str, Any]) -> bool:
    """Whether a server that tells thoughts apart sent some."""
    return bool(message.get("reasoning_content") or message.get("reasoning"))


def _told_apart(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose content is text: Mistral's and others' is a list of parts."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    thoughts, text = parts_of(content)
    return _with(message, thoughts, text)


def _with(message: dict[str, Any], thoughts: str, text: str) -> dict[str, Any]:
    """Return a message with this text, and with these thoughts behind those it had."""
    if not thoughts:
        return message if message.get("content") == text else message | {"content": text}
    before = message.get("reasoning_content") or message.get("reasoning") or ""
    others = {name: value for name, value in message.items() if name != "reasoning"}
    return others | {"content": text, "reasoning_content": f"{before}{thoughts}"}


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

"""OpenAI Responses, for the models that OpenAI answers there only."""

from __future__ import annotations

from typing import Any, Final

from litellm import ModelResponse, ModelResponseStream
from litellm.completion_extras.litellm_responses_transformation.transformation import (
    LiteLLMResponsesTransformationHandler,
    OpenAiResponsesToChatCompletionStreamIterator,
)
from litellm.types.llms.openai import ResponsesAPIResponse

from aurorasoc.llm.wire.answers.reading import responses
from aurorasoc.llm.wire.asking.request import ModelRequest, post
from aurorasoc.llm.wire.formats.chat_completions import translator_of
from aurorasoc.llm.wire.formats.translation import Translation, Unlogged, mapped

_HANDLER: Final = LiteLLMResponsesTransformationHandler()
_INTERNAL: Final = frozenset({"client", "litellm_logging_obj"})
_CLOSING: Final = frozenset({"response.completed", "response.incomplete"})


class Responses(Translation):
    """One call in the format of OpenAI's Responses."""

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        config, name = translator_of(request.reference)
        options = mapped(config, request, name)
        if request.stream:
            options["stream"] = True
        translated = _HANDLER.transform_request(
            model=request.reference.model,
            messages=request.messages,
            optional_params=options,
            litellm_params={},
            headers={},
            litellm_logging_obj=Unlogged(),
        )
        body = {name: value for name, value in translated.items() if name not in _INTERNAL}
        self.transmission = post(request, "/responses", body)
        self._iterator = OpenAiResponsesToChatCompletionStreamIterator(iter(()), sync_stream=True)

    def read(self, document: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        responses.read(document, self.reading)

    def read_event(self, event: dict[str, Any]) -> None:
        """Read the vendor's own fields."""
        responses.read_event(event, self.reading)

    def translated(self, document: dict[str, Any]) -> ModelResponse:
        """Translate a whole answer."""
        response: ModelResponse = _HANDLER.transform_response(
            model=self.request.reference.model,
            raw_response=ResponsesAPIResponse(**document),
            model_response=ModelResponse(),
            logging_obj=Unlogged(),
            request_data={},
            messages=self.request.messages,
            optional_params={},
            litellm_params={},
            encoding=None,
        )
        return response

    def translated_event(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Translate one event."""
        self.closed |= event["type"] in _CLOSING
        piece: ModelResponseStream = self._iterator.chunk_parser(event)
        return piece

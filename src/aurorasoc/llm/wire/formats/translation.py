"""What the wire formats have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Final

from litellm import BadRequestError, ModelResponse, ModelResponseStream

from aurorasoc.llm.wire.answers.outcome import Beginning, Outcome, Reading, repeatable
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.asking.request import BOUNDS, ModelRequest, Transmission
from aurorasoc.llm.wire.failures.declined import require_answer
from aurorasoc.llm.wire.failures.refusals import OptionRefused
from aurorasoc.llm.wire.failures.translate import failure_in_document

_SETTINGS: Final = {option.value: option for option in Refusable if option not in BOUNDS}
"""What a translator may leave out by itself; a bound on the answer has many names."""


class Translation(ABC):
    """One call in its vendor's format: the request, and how its answer is read.

    Args:
        request: The call, in OpenAI's shape.

    Attributes:
        reading: What was read of the answer so far.
        counted: The last count of tokens in a stream, in LiteLLM's shape.
        wrote: Whether the stream's last event held text, shown or held back.
        began: Whether any of a stream was used: then its error refuses no option any more, as the
            call can't be made again.
        schema_left_out: Keywords of the request's schemas that aren't in the transmission.
    """

    closed: bool = False
    """Whether the stream said its vendor's closing word."""

    transmission: Transmission

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        self.reading = Reading()
        self.counted: Any = None
        self.wrote = False
        self.began = False
        self.schema_left_out: frozenset[str] = frozenset()

    def answer(self, document: dict[str, Any]) -> ModelResponse:
        """Read a whole answer. Whatever it raises means that there is no usable one.

        Raises:
            OptionRefused: The server doesn't take what can be left out.
            Refused, Blocked: The model declined, or a filter stopped it.
            ModelCallError: It is an error, or broke off, or nobody knows whether it did.
        """
        self._require_no_error(document)
        self.read(document)
        require_answer(self.reading, self.request.reference)
        response = self.translated(document)
        self.reading.says(response.choices[0].message)
        return response

    def piece(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Read one event of a stream, and note the closing word.

        Raises:
            As `answer` does, once the vendor says how the answer ends.
        """
        self._require_no_error(event)
        self.read_event(event)
        require_answer(self.reading, self.request.reference)
        piece = self.translated_event(event)
        if piece is None:
            return None
        if usage := getattr(piece, "usage", None):
            self.counted, piece.usage = usage, None
        if piece.choices:
            self.reading.says(piece.choices[0].delta)
        return piece

    def _require_no_error(self, document: dict[str, Any]) -> None:
        """Refuse an error in the place of an answer, or behind half of one."""
        sent = frozenset() if self.began else self.transmission.sent
        if failure := failure_in_document(document, self.request.reference, sent):
            raise failure

    def rest(self) -> ModelResponseStream | None:
        """Return what was held back of a stream that has ended; None: nothing."""
        return None

    def outcome(self) -> Outcome:
        """Return what came back so far."""
        reference = self.request.reference
        outcome = self.reading.outcome(reference.model)
        model = repeatable(outcome.model, reference) or reference.model
        return replace(
            outcome,
            model=model,
            sent=self.transmission.sent,
            left_out=self._left_out(),
            schema_left_out=self.schema_left_out,
        )

    def beginning(self) -> Beginning:
        """Return what is known when the first piece of a stream is there."""
        reference = self.request.reference
        model = self.reading.model or reference.model
        name = repeatable(model, reference) or reference.model
        return Beginning(name, self._left_out(), self.schema_left_out)

    def _left_out(self) -> frozenset[Refusable]:
        asked = {_SETTINGS[name] for name in self.request.options if name in _SETTINGS}
        return self.request.left_out | (asked - self.transmission.sent)

    @abstractmethod
    def read(self, document: dict[str, Any]) -> None:
        """Read the vendor's own fields of a whole answer into the `reading`."""

    @abstractmethod
    def read_event(self, event: dict[str, Any]) -> None:
        """Read the vendor's own fields of an event into the `reading`."""

    @abstractmethod
    def translated(self, document: dict[str, Any]) -> ModelResponse:
        """Return a whole answer in LiteLLM's shape."""

    @abstractmethod
    def translated_event(self, event: dict[str, Any]) -> ModelResponseStream | None:
        """Return an event in LiteLLM's shape, and note the closing word; None: it says nothing."""


def mapped(config: Any, request: ModelRequest, model: str) -> dict[str, Any]:  # noqa: ANN401 - one of litellm's
    """Return the options in the vendor's names, without those that it doesn't take.

    Args:
        config: LiteLLM's translator for the vendor.
        request: The call.
        model: The name by which the translator may look up what the model takes.
    """
    supported = set(config.get_supported_openai_params(model))
    options = {name: value for name, value in request.options.items() if name in supported}
    try:
        params: dict[str, Any] = config.map_openai_params(options, {}, model, True)  # noqa: FBT003 - litellm's
    except BadRequestError:
        if "reasoning_effort" not in options:
            raise
        raise effort_refused(request) from None
    return params


def effort_refused(request: ModelRequest) -> OptionRefused:
    """Return the refusal of an effort that the translator knows the model not to have."""
    return OptionRefused(Refusable.REASONING_EFFORT, request.reference, lasting=False)


class Received:
    """A whole answer, as litellm's `transform_response` wants to see one."""

    status_code: Final = 200
    text: Final = ""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.headers: dict[str, str] = {}

    def json(self) -> dict[str, Any]:
        """Return what was parsed."""
        return self._document


class Unlogged:
    """Stands where litellm's translators want a logger of theirs: nothing is logged."""

    optional_params: Final[dict[str, Any]] = {}
    model_call_details: Final[dict[str, Any]] = {}
    call_type: str = ""

    def post_call(self, *_args: object, **_kwargs: object) -> None:
        """Let go of what would be logged."""


def whole(
    config: Any,  # noqa: ANN401 - one of litellm's
    request: ModelRequest,
    document: dict[str, Any],
    litellm_params: dict[str, Any] | None = None,
    *,
    json_mode: bool = False,
) -> ModelResponse:
    """Read a whole answer with LiteLLM's translator."""
    response: ModelResponse = config.transform_response(
        model=request.reference.model,
        raw_response=Received(document),
        model_response=ModelResponse(),
        logging_obj=Unlogged(),
        request_data={},
        messages=request.messages,
        optional_params={},
        litellm_params=litellm_params or {},
        encoding=None,
        json_mode=json_mode,
    )
    return response

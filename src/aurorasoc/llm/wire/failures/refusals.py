"""Whether a provider refused one option of a request, read from what it documents.

A refusal is believed only if it names something that was sent, and in words that say that the
option isn't taken. What says that a value is out of range, a prompt too long or its content
unwanted is no such refusal. Nothing of the text is kept.

Sources: OpenAI and Azure (`unsupported_parameter`, `unsupported_value`, `unknown_parameter`,
"Unrecognized request argument supplied"), Pydantic's `extra_forbidden` and `literal_error` (vLLM,
Mistral), serde's "unknown variant" and "missing field" (DeepSeek, TGI), Groq ("does not support
response format", "value is not one of the allowed values"), LM Studio ("must be 'json_schema' or
'text'"), llama.cpp ("type must be one of", 500; "Failed to initialize samplers"), Moonshot ("only
1 is allowed for this model"), Anthropic ("is deprecated for this model", "cannot both be
specified", "may only be set to 1"), Gemini ("Developer instruction is not enabled", "JSON mode is
not enabled"), chat templates ("System role not supported", "Conversation roles must alternate"),
LiteLLM's proxy ("does not support parameters"); for the ids of tool calls, `asking/tool_call_ids`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from aurorasoc.errors import (
    AuthFailed,
    ContextTooLong,
    ModelNotFound,
    ProviderRateLimited,
    QuotaExceeded,
    RequestRefused,
)
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.failures.error_bodies import ErrorBody
from aurorasoc.llm.wire.failures.meaning import verdict_of

_STATUSES: Final = frozenset({0, 400, 404, 422, 500, 501})
"""0: an error inside an answer whose status was 200. llama.cpp's templates fail with 500."""

_CODES: Final = frozenset(
    {"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"}
)

_NAMES: Final = {
    Refusable.TEMPERATURE: r"\btemperature\b",
    Refusable.TOP_P: r"\btop_?p\b",
    Refusable.TOP_K: r"\btop_?k\b",
    Refusable.FREQUENCY_PENALTY: r"\bfrequency_?penalty\b",
    Refusable.PRESENCE_PENALTY: r"\bpresence_?penalty\b",
    Refusable.SEED: r"\bseed\b",
    Refusable.PARALLEL_TOOL_CALLS: r"parallel[_ ]?tool[_ ]?(?:calls|use)",
    Refusable.REASONING_EFFORT: r"reasoning[_. ]?effort|\beffort\b|\bthinking\b|\breasoning\b",
    Refusable.STREAM_OPTIONS: r"stream[_ ]options|include_usage",
    Refusable.MAX_TOKENS: r"\bmax_tokens\b",
    Refusable.MAX_COMPLETION_TOKENS: r"\bmax_(?:completion|output)_tokens\b",
    Refusable.JSON_SCHEMA: (
        r"response[_ ]?format|json[_ ]schema|response_?(?:json_?)?schema|response_?mime_?type|"
        r"json mode|structured[_ ]outputs?|output_format|output_config|text\.format|guided|"
        r"initialize samplers|parse grammar"
    ),
    Refusable.JSON_OBJECT: r"response[_ ]?format|json[_ ]object|response_?mime_?type|json mode",
    Refusable.SYSTEM_ROLE: (
        r"\bsystem['\"`]? (?:role|message|prompt|instruction)|system_?instruction|"
        r"['\"`]system['\"`]|got system|developer instruction|roles must alternate|"
        r"roles are supported"
    ),
    Refusable.TOOL_CALL_IDS: r"tool call id was\b|tool_calls\[\d+\]\.id\b|tool_use\.id\b|"
    r"\.tool_(?:call|use)_id\b",
}
_PATTERNS: Final = {option: re.compile(name, re.IGNORECASE) for option, name in _NAMES.items()}

_NOT_TAKEN: Final = re.compile(
    r"unsupported|(?:not|n't)(?: \w+)? (?:support|permit|allow|enabled|available|implemented)|"
    r"unrecogni[sz]ed|unavailable|deprecated|cannot both|no longer|illegal param|"
    r"un(?:known|expected) (?:parameter|field|argument|name|keyword|property|variant|role)|"
    r"only .{1,60}?\b(?:allowed|supported)|extra_forbidden|extra (?:inputs|fields)|"
    r"additional propert|does not take|doesn't take|may only be",
    re.IGNORECASE,
)
_NOT_THIS_KIND: Final = re.compile(
    r"must be|should be|not one of the allowed|unknown variant|missing field|invalid type|"
    r"invalid (?:value|schema)|schema contains|not a valid|"
    r"failed to (?:parse|initialize)|conversion failed",
    re.IGNORECASE,
)
"""What is said of a kind of answer or effort that isn't known there."""

_ALTERNATE: Final = re.compile(
    r"roles must alternate|must be (?:the first|at the (?:beginning|start))|"
    r"only .{1,60}? roles? (?:are|is) (?:supported|allowed)",
    re.IGNORECASE,
)
_ID_FORM: Final = re.compile(
    r"must be a-z|string too long|should match pattern|does not match pattern", re.IGNORECASE
)
_VALUE: Final = re.compile(
    r"too (?:large|high|long|big|small|low)\b|\bat (?:most|least)\b|\bexceed|"
    r"\b(?:less|greater|lower|higher|more) than\b|\bbetween\b|\bout of range\b|\bpositive\b|"
    r"\brange:",
    re.IGNORECASE,
)
"""The option is taken, its value isn't: that is for the caller to know."""

_REFUSED: Final = 400
_OTHER_FAILURES: Final = (
    AuthFailed,
    ContextTooLong,
    ModelNotFound,
    ProviderRateLimited,
    QuotaExceeded,
)
_OTHER_REASON: Final = re.compile(
    r"context[_ ](?:length|window|size)|reduce the length|json_validate_failed|"
    r"content[_ ](?:filter|management|policy)|safety|moderation|flagged",
    re.IGNORECASE,
)
_THIS_SCHEMA: Final = re.compile(
    r"invalid[_ ](?:json_)?schema|schema (?:contains|conversion failed)|grammar|samplers",
    re.IGNORECASE,
)
_THIS_EFFORT: Final = re.compile(
    r"does not support '|(?:must|should) be|supported values|tool_choice", re.IGNORECASE
)

_KINDS: Final = frozenset(
    {Refusable.JSON_SCHEMA, Refusable.JSON_OBJECT, Refusable.REASONING_EFFORT}
)


class OptionRefused(RequestRefused):
    """The provider refused one option of the request, which can be left out.

    Args:
        option: What it refused.
        lasting: Whether that holds for the model; else for this schema or value alone.
        reference: The model that was called.
    """

    def __init__(self, option: Refusable, reference: ModelReference, *, lasting: bool) -> None:
        super().__init__(
            f"{reference.connection} refused the request: {reference.model} doesn't take {option}.",
            provider=reference.provider,
            model=reference.model,
        )
        self.option = option
        self.lasting = lasting


def option_refused(
    status: int, body: ErrorBody, sent: AbstractSet[Refusable], reference: ModelReference
) -> OptionRefused | None:
    """Return which of the options that were sent an error refuses, if it refuses one.

    Args:
        status: The HTTP status; 0 for an error inside an answer.
        body: The error.
        sent: What the request held.
        reference: The model that was called.
    """
    if status not in _STATUSES or not sent:
        return None
    if issubclass(verdict_of(status or _REFUSED, body).leaf, _OTHER_FAILURES):
        return None
    said = _without_name(body.said, reference.model.lower())
    if _OTHER_REASON.search(said):
        return None
    option = _placed(body, said, sent) or _said(said, sent)
    if option is None:
        return None
    schema = option is Refusable.JSON_SCHEMA and _THIS_SCHEMA.search(said)
    effort = option is Refusable.REASONING_EFFORT and _THIS_EFFORT.search(said)
    return OptionRefused(option, reference, lasting=not (schema or effort))


def names_option(option: Refusable, text: str) -> bool:
    """Whether a text names an option."""
    return _PATTERNS[option].search(text) is not None


def _without_name(said: str, model: str) -> str:
    """Leave out the model's name, and its last part: it may be called after an option."""
    name, _, last = re.escape(model).rpartition("/")
    names = f"(?:{name}/)?{last}" if name else last
    return re.sub(rf"(?<!\w){names}(?!\w)", "it", said)


def _placed(body: ErrorBody, said: str, sent: AbstractSet[Refusable]) -> Refusable | None:
    """Return the option that the vendor's own field names."""
    codes = set(said.split("\n"))
    for place in body.places:
        for option in _in_order(sent):
            if _PATTERNS[option].search(place) and _is_refusal(option, said, codes):
                return option
        if place.endswith("role") and Refusable.SYSTEM_ROLE in sent and "tool_call" not in said:
            return Refusable.SYSTEM_ROLE
    return None


def _said(said: str, sent: AbstractSet[Refusable]) -> Refusable | None:
    """Return the option that a sentence refuses; of two, the one that is named first."""
    named = [
        (match.start(), option)
        for option in _in_order(sent)
        if (match := _PATTERNS[option].search(said)) and _is_refusal(option, said, frozenset())
    ]
    options = [option for _, option in sorted(named, key=lambda pair: pair[0])]
    if options[:2] == [Refusable.TEMPERATURE, Refusable.TOP_P] and "both" in said:
        return Refusable.TOP_P  # Anthropic takes either
    return options[0] if options else None


def _is_refusal(option: Refusable, said: str, codes: AbstractSet[str]) -> bool:
    if option is Refusable.TOOL_CALL_IDS:
        return _ID_FORM.search(said) is not None
    if option is Refusable.SYSTEM_ROLE and _ALTERNATE.search(said):
        return True
    if option in _KINDS and _NOT_THIS_KIND.search(said):
        return True
    if _VALUE.search(said):
        return False
    return bool(codes & _CODES) or _NOT_TAKEN.search(said) is not None


def _in_order(sent: AbstractSet[Refusable]) -> Iterator[Refusable]:
    """Yield what was sent in the order of the enum, so that a text has one reading."""
    yield from (option for option in Refusable if option in sent)

"""What a provider's error means: by marks in what it says, else by its status.

The marks are the vendors' and gateways' own words, in lower case, from their documentation and from
public reports of what they answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

from aurorasoc.errors import (
    AuthFailed,
    BadResponse,
    Blocked,
    ContextTooLong,
    EndpointNotFound,
    ModelCallError,
    ModelNotFound,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExceeded,
    RequestRefused,
)
from aurorasoc.llm.wire.failures.error_bodies import ErrorBody


class Verdict(NamedTuple):
    """An error's class and its detail.

    The detail may name `{provider}`, `{model}`, `{timeout}`, `{first_token_timeout}`, `{status}`,
    `{url}`, `{fix}` (what to change about the base URL), `{again}` (when to try again) and `{why}`
    (a filter's reason).
    """

    leaf: type[ModelCallError]
    detail: str


KEY: Final = Verdict(AuthFailed, "{provider} refused the key. Enter a valid one.")
KEY_FOR_MODEL: Final = Verdict(
    AuthFailed, "{provider} refused the key for {model}. Check what it may do."
)
MODEL: Final = Verdict(ModelNotFound, "{provider} doesn't know the model {model}. Set another one.")
ENDPOINT: Final = Verdict(
    EndpointNotFound, "{provider}'s server has nothing at {url} ({status}). {fix}"
)
CONTEXT: Final = Verdict(
    ContextTooLong,
    "The prompt is too long for {model} at {provider} ({status}). Shorten it, choose a model with "
    "a larger context window, or raise the server's limit.",
)
REQUEST_SIZE: Final = Verdict(
    ContextTooLong,
    "The prompt is larger than {provider} takes in one request ({status}). Shorten it, or raise "
    "the limit there.",
)
QUOTA: Final = Verdict(
    QuotaExceeded, "The quota or balance at {provider} is used up. Check the account there."
)
RATE: Final = Verdict(ProviderRateLimited, "{provider} limits the rate. Try again {again}.")
OVERLOADED: Final = Verdict(
    ProviderOverloaded, "{provider} is overloaded or failed ({status}). Try again {again}."
)
NO_DATABASE: Final = Verdict(
    ProviderOverloaded,
    "The gateway at {provider} has no database to check the key in ({status}). Try again {again}, "
    "or check the gateway.",
)
GAVE_UP: Final = Verdict(
    ProviderTimeout,
    "{provider}, or a gateway before it, gave up waiting for the answer ({status}). Try again, or "
    "raise its time-out.",
)
REFUSED: Final = Verdict(
    RequestRefused,
    "{provider} refused the request ({status}). {model} may not support what the call needs.",
)
REDIRECT: Final = Verdict(
    BadResponse,
    "{provider} answered with a redirect, which is never followed. Set the final base URL.",
)
PROXY: Final = Verdict(
    ProviderUnreachable,
    "The proxy on the way to {provider} refused the connection. Let it through there, or name the "
    "host in NO_PROXY.",
)
FILTER: Final = Verdict(
    Blocked,
    "A content filter at {provider} stopped the call{why}. Rephrase the question, or ask another "
    "model.",
)
BAD: Final = Verdict(BadResponse, "{provider} answered something that is not a usable completion.")

_BY_STATUS: Final[dict[int, Verdict]] = {
    400: REFUSED,
    401: KEY,
    402: QUOTA,
    403: KEY_FOR_MODEL,
    404: ENDPOINT,
    405: ENDPOINT,
    407: PROXY,
    408: GAVE_UP,
    410: ENDPOINT,
    413: REQUEST_SIZE,
    415: REFUSED,
    422: REFUSED,
    424: OVERLOADED,  # Text Generation Inference: the generation failed
    425: OVERLOADED,
    429: RATE,
    498: OVERLOADED,  # Groq: no capacity for the flex tier
    499: OVERLOADED,  # Envoy, Google: the call was cancelled over there
    501: REFUSED,  # llama.cpp: `not_supported_error`
    504: GAVE_UP,
    505: BAD,
    511: BAD,  # a captive portal
    524: GAVE_UP,  # Cloudflare: the origin took too long
}
_IN_ANSWER: Final = 500
"""Stands for the status of an error inside an answer that names none: the server itself failed."""


class _Mark(NamedTuple):
    """Words that mean something beside some statuses only: elsewhere they may be an echo."""

    verdict: Verdict
    statuses: frozenset[int]
    words: tuple[str, ...]


_FILTERS: Final = (
    "content_filter",  # Azure, Moonshot
    "responsibleaipolicyviolation",
    "content_policy_violation",  # OpenAI
    "image_content_policy_violation",
    "bio_policy",
    "cyber_policy",
    "data_inspection_failed",  # Alibaba
    "datainspectionfailed",
    "guardrail_intervened",  # Bedrock
    "moderation_blocked",
)
"""Codes of errors that a filter raised, in lower case."""

_REQUEST: Final = frozenset({400, 403, 404, 413, 422, 429})
_FAILED: Final = frozenset({500, 503})
_MARKS: Final = (
    _Mark(
        FILTER,
        frozenset({400, 403, 422, _IN_ANSWER}),
        (
            *_FILTERS,
            "contentpolicyviolationerror",  # LiteLLM's proxy
            "violated guardrail policy",
            "content management policy",  # Azure
            "content filtering policy",  # Anthropic
            "content exists risk",  # DeepSeek
            "flagged as potentially violating",  # OpenAI
            "flagged for possible cybersecurity risk",
            "flagged by moderation",  # OpenRouter
            "your input was flagged for",
            "may contain inappropriate content",  # Alibaba
            "considered high risk",  # Moonshot
            "不安全或敏感内容",  # Z.ai: "unsafe or sensitive content"
        ),
    ),
    # A limit on the answer that the window can't hold is an option, not the prompt.
    _Mark(
        REFUSED,
        _REQUEST,
        (
            "max_completion_tokens' is too large",
            "max_tokens is too large",
            "cannot be greater than max_model_len",
            "no endpoints found that support",  # OpenRouter: no one takes the option
            "no endpoints found that can handle",
            "no endpoints available matching",
            "no allowed providers",
        ),
    ),
    _Mark(
        REQUEST_SIZE,
        _REQUEST,
        ("request too large for", "request_too_large"),  # OpenAI and Groq; Anthropic
    ),
    _Mark(
        CONTEXT,
        _REQUEST | _FAILED,
        (
            "context_length_exceeded",  # OpenAI, Azure, Groq, llama-cpp-python
            "contextwindowexceedederror",  # LiteLLM's proxy
            "exceed_context_size_error",  # llama.cpp
            "exceeds the available context size",
            "context size has been exceeded",
            "too big compared to kv size",
            "model_context_window_exceeded",  # Z.ai
            "maximum context length",  # OpenAI, vLLM, DeepSeek, Mistral, OpenRouter, SGLang
            "longer than the maximum model length",  # vLLM
            "longer than the model's context length",  # SGLang
            "maximum prompt length is",  # xAI
            "prompt is too long",  # Anthropic
            "exceed context limit",
            "exceeds the maximum number of tokens allowed",  # Gemini
            "exceed the configured limit",  # OpenAI
            "exceeds the context window",
            "reduce the length of the messages",  # Groq
            "tokens + `max_new_tokens` must be",  # Text Generation Inference
            "`inputs` must have less than",
            "greater than the context length",  # LM Studio
            "context length of only",
            "prompt too long; exceeded",  # Ollama
            "exceeds the context length",
            "context window exceeds limit",  # MiniMax
            "exceeded model token limit",  # Moonshot
            "range of input length should be",  # Alibaba
            "input is too long for requested model",  # Bedrock
            "requested token count exceeds the model",
        ),
    ),
    _Mark(
        NO_DATABASE,
        frozenset({400, 401, 500, 503}),
        ("no connected db", "no_db_connection", "db not connected"),  # LiteLLM's proxy
    ),
    _Mark(
        QUOTA,
        frozenset({400, 401, 403, 429}),
        (
            "insufficient_quota",
            "exceeded_current_quota_error",  # Moonshot, with 403 or 429
            "arrearage",  # Alibaba, with 400
            "reached your usage limit for this billing cycle",  # Kimi, with 403
            "doesn't have any credits",  # xAI, with 403 or 429
            "used all available credits",
            "run out of credits",
            "insufficient balance",
            "credit balance is too low",
            "billing_not_active",
            "billing_hard_limit_reached",
            "enable billing",
            "requestsperday",  # Gemini's quotaId; its "…PerMinute…" limits the rate
            "budget has been exceeded",  # LiteLLM's proxy
            "exceededbudget",
        ),
    ),
    _Mark(
        KEY,
        frozenset({400, 403, 404}),
        ("api key not valid", "api_key_invalid", "invalid_api_key", "incorrect api key"),
    ),
    _Mark(
        MODEL,
        frozenset({400, 403, 404, 410, 422}),
        (
            "model_not_found",  # OpenAI, Groq, LM Studio
            "model_not_available",  # Together
            "deploymentnotfound",  # Azure
            "model not exist",  # DeepSeek
            "invalid model",  # LiteLLM's proxy, Mistral, OpenAI
            "invalid_model",  # Mistral
            "is not a valid model",  # OpenRouter
            "no endpoints found for",
            "unknown model",
            "model_decommissioned",  # Groq
        ),
    ),
    _Mark(
        ENDPOINT,
        frozenset({400, 403, 404, _IN_ANSWER}),
        ("unknown_url", "unknown request url", "unexpected endpoint or method"),  # LM Studio's 200
    ),
)
_NO_SUCH_MODEL: Final = re.compile(
    r"\b(models?|deployment)\b[^\n]{0,160}(not found|not exist|doesn't exist|not available)"
    r"|^model: |no model(s)? (is |are )?loaded|(not find|no such) (the )?model",
    re.MULTILINE,
)
"""Other words for it (vLLM, Ollama, llama.cpp, Anthropic, Gemini, LM Studio, NVIDIA)."""

_UNKNOWN: Final = frozenset({400, 404, 410, 422})

_NAMED: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that a vendor documents for what it names inside an answer."""

_WINDOWS: Final = re.compile(
    r"(?:maximum (?:context|prompt|model) length (?:is|of)|context size|tokens allowed"
    r"|too large for model with|model's (?:maximum )?context length|configured limit of"
    r"|configured context size is|context length of only|token limit:|[0-9] tokens >"
    r"|[0-9] \+ [0-9]{1,9} >) \(?([0-9][0-9,]{2,11})"
)


def verdict_of(status: int, body: ErrorBody) -> Verdict:
    """Return what an HTTP answer means that is no success."""
    return next(_marked(status, body), None) or _of_status(status)


def status_in(body: ErrorBody) -> int:
    """Return the status that an error inside an answer stands for; 0 where it names none."""
    named = (_NAMED[line] for line in body.said.split("\n") if line in _NAMED)
    return next(chain(body.statuses, named), 0)


def verdict_in_answer(status: int, body: ErrorBody) -> Verdict:
    """Return what an error inside an answer means; without a status the server itself failed."""
    return verdict_of(status or _IN_ANSWER, body)


def context_window_in(body: ErrorBody) -> int | None:
    """Return the context window in tokens that an error names."""
    match = _WINDOWS.search(body.said)
    return body.context_window or (int(match[1].replace(",", "")) if match else None)


def category_in(body: ErrorBody) -> str | None:
    """Return why a filter stopped the call, in the vendor's words."""
    lines = body.said.split("\n")
    return body.category or next((line for line in lines if line in _FILTERS), None)


def _marked(status: int, body: ErrorBody) -> Iterator[Verdict]:
    for mark in _MARKS:
        if status in mark.statuses and any(word in body.said for word in mark.words):
            yield mark.verdict
    if status in _UNKNOWN and _NO_SUCH_MODEL.search(body.said):
        yield MODEL
    if status == 404 and body.about_model:  # noqa: PLR2004 - RFC 9110 §15.5.5
        yield MODEL


def _of_status(status: int) -> Verdict:
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110 §15.4
        return REDIRECT
    failed = status >= 500  # noqa: PLR2004 - RFC 9110 §15.6
    return _BY_STATUS.get(status, OVERLOADED if failed else BAD)

"""The words that tell what a provider's error means.

They are the vendors' and gateways' own, in lower case, from their documentation and from public
reports of what they answer.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aurorasoc.llm.wire.failures.verdicts import (
    CONTEXT,
    ENDPOINT,
    FILTER,
    KEY,
    MODEL,
    NO_DATABASE,
    NOT_HERE,
    QUOTA,
    REFUSED,
    REQUEST_SIZE,
    UNFIT,
    Verdict,
)

IN_ANSWER: Final = 500
"""Stands for the status of an error inside an answer that names none: the server itself failed."""


class _Mark(NamedTuple):
    """Words that mean something beside some statuses only: elsewhere they may be an echo."""

    verdict: Verdict
    statuses: frozenset[int]
    words: tuple[str, ...]


FILTERS: Final = (
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
MARKS: Final = (
    _Mark(
        FILTER,
        frozenset({400, 403, 422, IN_ANSWER}),
        (
            *FILTERS,
            "contentpolicyviolationerror",  # LiteLLM's proxy
            "violated guardrail policy",
            "content management policy",  # Azure
            "content filtering policy",  # Anthropic
            "content exists risk",  # DeepSeek
            "flagged as potentially violating",  # OpenAI
            "flagged for possible cybersecurity risk",
            "flagged by moderation",  # OpenRouter
            "your input was flagged",
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
            "does not fit in context length",
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
        frozenset({400, 401, 403, 422, 429}),
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
            "budget has been exceeded",  # LiteLLM's proxy, with 400, 422 or 429
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
            "model_not_supported",  # Hugging Face
            "model not supported by provider",
            "provided model identifier is invalid",  # Bedrock
        ),
    ),
    _Mark(
        NOT_HERE,
        frozenset({400, 404}),
        ("supported on this route", "does not support the '/"),  # Bedrock
    ),
    _Mark(
        UNFIT,
        frozenset({400, 422, IN_ANSWER}),
        ("json_validate_failed", "tool_use_failed"),  # Groq
    ),
    _Mark(
        ENDPOINT,
        frozenset({400, 403, 404, IN_ANSWER}),
        ("unknown_url", "unknown request url", "unexpected endpoint or method"),  # LM Studio's 200
    ),
)
NO_SUCH_MODEL: Final = re.compile(
    r"\b(models?|deployment)\b[^\n]{0,160}(not found|not exist|doesn't exist|not available)"
    r"|^model: |no model(s)? (is |are )?loaded|(not find|no such) (the )?model",
    re.MULTILINE,
)
"""Other words for it (vLLM, Ollama, llama.cpp, Anthropic, Gemini, LM Studio, NVIDIA)."""

NAMED: Final = {
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

WINDOWS: Final = re.compile(
    r"(?:maximum (?:context|prompt|model) length (?:is|of)|context size|tokens allowed"
    r"|too large for model with|model's (?:maximum )?context length|configured limit of"
    r"|configured context size is|context length (?:of only|only supports)|token limit:"
    r"|[0-9] tokens >"
    r"|[0-9] \+ [0-9]{1,9} >) \(?([0-9][0-9,]{2,11})"
)

"""What a provider's error may mean: one of our errors, and what it says to its reader."""

from __future__ import annotations

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


class Verdict(NamedTuple):
    """An error's class and its detail.

    The detail may name `{provider}` (the connection's name), `{model}`, `{timeout}`,
    `{first_token_timeout}`, `{status}`, `{url}`, `{fix}` (what to change about the base URL),
    `{again}` (when to try again) and `{why}` (a filter's reason).
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
NOT_HERE: Final = Verdict(
    EndpointNotFound,
    "{provider} doesn't answer for {model} at {url} ({status}). Set the base URL that its "
    "documentation names for this model, or another model.",
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
UNFIT: Final = Verdict(
    BadResponse,
    "{provider} broke off ({status}): what {model} wrote fits neither the schema nor a tool. Try "
    "again, or choose another model.",
)
BAD: Final = Verdict(BadResponse, "{provider} answered something that is not a usable completion.")

"""The error tree.

Every error that leaves this package is one of these. Each leaf carries the HTTP status it
answers with, a stable `code` that callers may switch on, and a sentence that says what to do::

    AuroraError
    ├── ConfigurationError        the process can't start (exit 2)
    ├── RuntimeNotOpen            get_chat_model() outside open_runtime()
    ├── Unauthenticated 401 · PermissionDenied 403 · ForeignOrigin 403
    ├── TlpRefused 403 · HostedStopped 403
    ├── NotFound 404 · UnknownProvider 404
    ├── Conflict 409
    │   ├── NoModelConfigured · ProviderNotReady · KeyBoundToOrigin · ChangeInProgress
    ├── RequestTimeout 408 · BodyTooLarge 413 · UnsupportedMediaType 415 · UnknownHost 421
    ├── RevisionMismatch 412 · InvalidInput 422 · RateLimited 429 · BudgetExceeded 429
    ├── Unavailable 503
    │   ├── SecretStoreUnavailable · OutcomeUnknown · DatabaseUnavailable · AuditUnavailable
    │   └── BackendUnavailable
    └── ModelCallError 502/504    a provider failed; one leaf for each test code
        └── Refused 422 · Blocked 422    it was reached, and gave no answer on purpose

No message contains a key: constructors take our own text, never an upstream's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final


class AuroraError(Exception):
    """Root of the tree.

    Args:
        detail: One or two sentences for the reader: what is wrong and what to do.

    Attributes:
        retry_after: Seconds until a request may succeed; None where nobody says.
    """

    status_code: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retry_after: float | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigurationError(AuroraError):
    """The environment is wrong: one sentence that names the variable and what it accepts."""

    code = "configuration_error"
    title = "Wrong configuration"


class RuntimeNotOpen(AuroraError):
    """`get_chat_model()` was called before a runtime was opened."""

    code = "runtime_not_open"
    title = "No open runtime"

    def __init__(self) -> None:
        super().__init__(
            "No runtime is open in this process. Wrap the program in "
            "`async with aurorasoc.open_runtime():` and call get_chat_model() inside it. In an "
            "app, include_routers() opens it in the app's lifespan, which Starlette doesn't run "
            "for a mounted app: include the routers in the outermost one, or run "
            "`mounted.router.lifespan_context(mounted)` in its lifespan."
        )


class RuntimeAlreadyOpen(AuroraError):
    """A process requested a second runtime with other settings."""

    code = "runtime_already_open"
    title = "Another runtime is open"


class Unauthenticated(AuroraError):
    """RFC 9110 §15.5.2: no token, or an invalid one.

    Args:
        detail: What the caller reads.
        reason: What only the log says, in our own words: nothing of a token.
    """

    status_code = 401
    code = "unauthenticated"
    title = "Authentication required"

    def __init__(self, detail: str, *, reason: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason


class PermissionDenied(AuroraError):
    """The principal is known but may not do this."""

    status_code = 403
    code = "permission_denied"
    title = "Permission denied"


class TlpRefused(AuroraError):
    """The label forbids every backend that could answer."""

    status_code = 403
    code = "tlp_refused"
    title = "Refused by the sensitivity policy"


class HostedStopped(AuroraError):
    """All traffic to hosted providers is stopped. The detail says by whom, and how to allow it."""

    status_code = 403
    code = "hosted_stopped"
    title = "Hosted traffic is stopped"


class ForeignOrigin(AuroraError):
    """A web page from another origin sent the request."""

    status_code = 403
    code = "foreign_origin"
    title = "Refused from this origin"


class UnknownHost(AuroraError):
    """RFC 9110 §15.5.20: the request names a host that this service doesn't serve."""

    status_code = 421
    code = "unknown_host"
    title = "Not served under this host name"


class RequestTimeout(AuroraError):
    """RFC 9110 §15.5.9: the request didn't arrive in time."""

    status_code = 408
    code = "request_timeout"
    title = "The request took too long"


class BodyTooLarge(AuroraError):
    """RFC 9110 §15.5.14: the body exceeds the size limit."""

    status_code = 413
    code = "body_too_large"
    title = "The body is too large"


class UnsupportedMediaType(AuroraError):
    """RFC 9110 §15.5.16: the body isn't declared as JSON."""

    status_code = 415
    code = "unsupported_media_type"
    title = "JSON is needed"


class NotFound(AuroraError):
    """Nothing exists at this address."""

    status_code = 404
    code = "not_found"
    title = "Not found"


class UnknownProvider(NotFound):
    """The provider in the path isn't in the catalog."""

    code = "unknown_provider"
    title = "Unknown provider"


class Conflict(AuroraError):
    """The request is well-formed but the current state forbids it. Nothing was changed."""

    status_code = 409
    code = "conflict"
    title = "Conflict"


class NoModelConfigured(Conflict):
    """The provider has no model name."""

    code = "no_model_configured"
    title = "No model configured"


class ProviderNotReady(Conflict):
    """The provider can't take calls; the detail lists its problems."""

    code = "provider_not_ready"
    title = "Provider not ready"


class KeyBoundToOrigin(Conflict):
    """A base URL would leave the origin that the active key belongs to."""

    code = "key_bound_to_origin"
    title = "The key belongs to another origin"


class ConnectionInUse(Conflict):
    """The connection is active, assigned or named by the policy; the detail says by whom."""

    code = "connection_in_use"
    title = "The connection is in use"


class ChangeInProgress(Conflict):
    """Another change of this provider's key isn't finished yet."""

    code = "change_in_progress"
    title = "A change is in progress"


class RevisionMismatch(AuroraError):
    """RFC 9110 §13.1.1: `If-Match` names a revision that is no longer the current one."""

    status_code = 412
    code = "revision_mismatch"
    title = "The configuration has changed"


class InvalidInput(AuroraError):
    """The input is wrong. The detail names the field and never repeats the value."""

    status_code = 422
    code = "invalid_input"
    title = "Invalid input"


class ImageNotTaken(InvalidInput):
    """A message holds an image, and the model is known to take none."""


class RateLimited(AuroraError):
    """Too many requests by this principal.

    Args:
        detail: What to do.
        retry_after: Whole seconds until a request may succeed (RFC 9110 §10.2.3).
    """

    status_code = 429
    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BudgetExceeded(AuroraError):
    """A hard budget has no room for the call. The detail says which, and when it resets.

    Args:
        detail: What to do.
        retry_after: Seconds until a call may fit.
        resets_at: When the budget's period ends, ISO 8601 UTC.
    """

    status_code = 429
    code = "budget_exceeded"
    title = "A hard budget is used up"

    def __init__(self, detail: str, *, retry_after: float, resets_at: str) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.resets_at = resets_at


class Unavailable(AuroraError):
    """Something this service depends on doesn't answer. Nothing was changed."""

    status_code = 503
    code = "unavailable"
    title = "Service unavailable"


class SecretStoreUnavailable(Unavailable):
    """The secret store doesn't answer, or refuses this service."""

    code = "secret_store_unavailable"
    title = "Secret store unavailable"


class OutcomeUnknown(Unavailable):
    """A write to the secret store may or may not have happened.

    Args:
        detail: What to do.
        operation_id: Names the write, in the audit log too.
    """

    code = "outcome_unknown"
    title = "Outcome unknown"

    def __init__(self, detail: str, *, operation_id: str) -> None:
        super().__init__(detail)
        self.operation_id = operation_id


class DatabaseUnavailable(Unavailable):
    """The database doesn't answer."""

    code = "database_unavailable"
    title = "Database unavailable"

    def __init__(
        self, detail: str = "The database doesn't answer. Nothing was changed; try again."
    ) -> None:
        super().__init__(detail)


class AuditUnavailable(Unavailable):
    """The audit entry could not be written, so the change was not made either."""

    code = "audit_unavailable"
    title = "Audit log unavailable"


class BackendUnavailable(Unavailable):
    """`LLM_BACKEND=auto` found no local backend."""

    code = "backend_unavailable"
    title = "No local backend answers"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection that was asked for an answer, or that was passed over.

    Attributes:
        connection: Its name.
        model: The requested model; None if the connection has none.
        code: How it failed, or why it was passed over; None: it answered.
        seconds: How long it took; 0 if it was passed over.
    """

    connection: str
    model: str | None
    code: str | None
    seconds: float


class ModelCallError(AuroraError):
    """A provider failed. The message is ours; the provider's text never leaves the adapter.

    Args:
        detail: What happened, in our words.
        provider: The provider that was called.
        model: The requested model name.

    Attributes:
        retryable: Whether the same call may succeed later.
        of_request: Whether it speaks of the request, and says nothing of the provider.
        retry_after: Seconds that the provider asks to wait, or until the connection is asked again.
        category: Why it refused or blocked, in the vendor's words; None where it doesn't say.
        asked: False where nothing was sent, because earlier calls failed so.
        may_have_cost: False where the provider surely charges nothing for it.
        attempts: Everyone who was asked, in order, this one included; empty if nobody else was.
    """

    status_code = 502
    code = "bad_response"
    title = "The provider's answer can't be used"
    retryable: ClassVar[bool] = False
    of_request: ClassVar[bool] = False
    category: str | None = None
    asked: bool = True
    may_have_cost: bool = True
    attempts: tuple[Attempt, ...] = ()

    def __init__(self, detail: str, *, provider: str, model: str) -> None:
        super().__init__(detail)
        self.provider = provider
        self.model = model


class BadResponse(ModelCallError):
    """The provider's answer isn't a usable completion."""


class EmptyAnswer(BadResponse):
    """The provider answered without a visible token, as thinking models do when cut short."""


class CutBeforeAnswer(EmptyAnswer):
    """A limit cut the answer off before its first visible token."""

    of_request = True


class AnswerCut(BadResponse):
    """The answer was cut off by a limit before its end, where half of one is of no use."""

    of_request = True


class ToolCallUnusable(BadResponse):
    """The model's tool call can't be made: its arguments are no JSON, or its vendor says so."""

    of_request = True


class RequestRefused(BadResponse):
    """The provider refused the request itself: it doesn't support something in it.

    Attributes:
        is_invalid: Whether it says that the request isn't valid, or no format can hold it.
        options: What it names of the options that may be sent though no caller asks.
        field: What else of the request it names, as OpenAI's protocol calls it.
    """

    of_request = True
    is_invalid: bool = False
    options: frozenset[str] = frozenset()
    field: str | None = None


class Refused(ModelCallError):
    """The model declined to answer. Asked again, it would decline again."""

    status_code = 422
    code = "refused"
    title = "The model declined to answer"
    of_request = True


class Blocked(ModelCallError):
    """A filter of the provider stopped the prompt or the answer, and would do so again."""

    status_code = 422
    code = "blocked"
    title = "A filter of the provider stopped the call"
    of_request = True


class AuthFailed(ModelCallError):
    """The provider refused the key."""

    code = "auth_failed"
    title = "The provider refused the key"


class ModelNotFound(ModelCallError):
    """The provider doesn't know the model."""

    code = "model_not_found"
    title = "The provider doesn't know the model"


class EndpointNotFound(ModelCallError):
    """The provider's server answers, but not at the URL that was called."""

    code = "endpoint_not_found"
    title = "The base URL doesn't lead to the provider's API"


class ContextTooLong(ModelCallError):
    """The prompt doesn't fit the model's context window, or the account's limit for one request.

    Attributes:
        context_window: The limit in tokens, where the provider names it.
    """

    code = "context_too_long"
    title = "The prompt is too long for the model"
    of_request = True
    context_window: int | None = None


class ContextTruncated(ModelCallError):
    """The provider cut the prompt to fit the model, and answered what was left of it."""

    code = "context_truncated"
    title = "The provider cut the prompt"
    of_request = True


class ProviderRateLimited(ModelCallError):
    """The provider asks to slow down."""

    code = "rate_limited"
    title = "The provider limits the rate"
    retryable = True


class ProviderOverloaded(ModelCallError):
    """The provider is overloaded or failed, and may answer a moment later."""

    code = "overloaded"
    title = "The provider is overloaded or failed"
    retryable = True


class QuotaExceeded(ModelCallError):
    """The provider's account has no quota or balance left."""

    code = "quota_exceeded"
    title = "The provider's quota is used up"


class ProviderUnreachable(ModelCallError):
    """No connection to the provider, or it was lost."""

    code = "unreachable"
    title = "The provider can't be reached"
    retryable = True


class ProviderTimeout(ModelCallError):
    """The provider didn't answer in time."""

    status_code = 504
    code = "timeout"
    title = "The provider didn't answer in time"


class TlsError(ModelCallError):
    """The provider's certificate isn't trusted here, or TLS failed."""

    code = "tls_error"
    title = "TLS to the provider failed"


DECLINED: Final = (Refused, Blocked)
"""No answer on purpose: the same model is never asked again."""

TOO_LONG: Final = (ContextTooLong, ContextTruncated)
"""The prompt doesn't fit: a shorter one may."""

OF_MODEL: Final = frozenset({ModelNotFound.code, BadResponse.code})
"""Codes that speak of one model, and say nothing of another at the same address."""

CALL_ERRORS: Final[dict[str, type[ModelCallError]]] = {
    leaf.code: leaf
    for leaf in (
        AuthFailed,
        BadResponse,
        Blocked,
        ContextTooLong,
        ContextTruncated,
        EndpointNotFound,
        ModelNotFound,
        ProviderOverloaded,
        ProviderRateLimited,
        ProviderTimeout,
        ProviderUnreachable,
        QuotaExceeded,
        Refused,
        TlsError,
    )
}
"""The leaf for each test code except `ok`."""


def our_error(error: BaseException) -> AuroraError | None:
    """Return the `AuroraError` that BeeAI has wrapped in its own; None if there is none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, AuroraError):
        cause = cause.__cause__
    return cause

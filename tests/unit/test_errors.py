"""The error tree."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from aurorasoc import errors
from aurorasoc.errors import (
    AuroraError,
    ModelCallError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    our_error,
)

CONTRACT = {
    "unauthenticated": 401,
    "permission_denied": 403,
    "tlp_refused": 403,
    "hosted_stopped": 403,
    "not_found": 404,
    "unknown_provider": 404,
    "conflict": 409,
    "no_model_configured": 409,
    "provider_not_ready": 409,
    "key_bound_to_origin": 409,
    "change_in_progress": 409,
    "revision_mismatch": 412,
    "invalid_input": 422,
    "too_many_requests": 429,
    "budget_exceeded": 429,
    "refused": 422,
    "blocked": 422,
    "bad_response": 502,
    "auth_failed": 502,
    "context_too_long": 502,
    "endpoint_not_found": 502,
    "overloaded": 502,
    "model_not_found": 502,
    "rate_limited": 502,
    "quota_exceeded": 502,
    "unreachable": 502,
    "tls_error": 502,
    "timeout": 504,
    "unavailable": 503,
    "secret_store_unavailable": 503,
    "outcome_unknown": 503,
    "database_unavailable": 503,
    "audit_unavailable": 503,
    "backend_unavailable": 503,
}


def _tree(root: type[AuroraError]) -> Iterator[type[AuroraError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


@pytest.mark.parametrize(("code", "status"), CONTRACT.items())
def test_code_answers_with_the_status_of_the_contract(code: str, status: int) -> None:
    """Callers may rely on which status comes with which code."""
    assert {leaf.status_code for leaf in _tree(AuroraError) if leaf.code == code} == {status}


def test_every_error_of_the_module_is_in_the_tree() -> None:
    """One handler for the root catches all of them."""
    defined = {e for e in vars(errors).values() if isinstance(e, type)}
    ours = {e for e in defined if issubclass(e, Exception)}
    assert ours == set(_tree(AuroraError))


def test_codes_of_unrelated_errors_differ() -> None:
    """A code names one kind of error; only that and what is derived from it may share one."""
    kinds = [e for e in _tree(AuroraError) if "code" in vars(e)]
    assert len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("error", list(_tree(AuroraError)), ids=lambda e: e.__name__)
def test_every_error_answers_with_an_error_status(error: type[AuroraError]) -> None:
    """A problem document can be made of any of them."""
    assert HTTPStatus(error.status_code) >= HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("error", list(_tree(AuroraError)), ids=lambda e: e.__name__)
def test_every_code_has_a_title_of_its_own(error: type[AuroraError]) -> None:
    """What switches on the code and who reads the title see the same kind."""
    assert ("code" in vars(error)) == ("title" in vars(error))


def test_model_call_errors_know_who_was_called() -> None:
    """A failed call names provider and model."""
    error = ModelCallError("It failed.", provider="deepseek", model="deepseek-v4-flash")
    assert (error.provider, error.model, str(error)) == (
        "deepseek",
        "deepseek-v4-flash",
        "It failed.",
    )


def test_rate_limit_says_when_to_come_back() -> None:
    """`Retry-After` needs whole seconds."""
    assert RateLimited("Later.", retry_after=7).retry_after == 7


def test_unknown_outcome_names_its_operation() -> None:
    """The operation id leads to the audit entry of the write."""
    assert OutcomeUnknown("Look there.", operation_id="op-1").operation_id == "op-1"


def test_our_error_is_found_in_what_wraps_it_and_none_where_there_is_none() -> None:
    """BeeAI wraps twice: the model's error, then the agent's."""
    failure = NotFound("There is none.")
    outer = ValueError("agent error")
    outer.__cause__ = inner = ValueError("model error")
    assert our_error(outer) is None
    inner.__cause__ = failure
    assert our_error(outer) is failure
    assert our_error(failure) is failure

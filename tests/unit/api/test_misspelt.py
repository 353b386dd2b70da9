"""What a body's unknown field is answered with: the nearest known one, never what was sent."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from aurorasoc.api.misspelt import MOST_COMPARED, with_nearest
from aurorasoc.api.schemas import ExplainBody
from aurorasoc.llm.changes.requests import (
    AssignmentsRequest,
    ConnectionRequest,
    PolicyRequest,
    TestRequest,
)

SECRET = "sk-proj-0a1b2c3d4e5f60718293"


def messages_for(body: Any, sent: dict[str, Any]) -> list[str]:  # noqa: ANN401 - any annotation
    """Return what is said of a body's unknown fields."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(body).validate_python(sent)
    issues = [{**one, "loc": ("body", *one["loc"])} for one in refused.value.errors()]
    issues = [one for one in issues if one["type"] == "extra_forbidden"]
    return [one["msg"] for one in with_nearest(issues, body)]


@pytest.mark.parametrize(
    ("body", "sent", "nearest"),
    [
        (PolicyRequest, {"hosted_max_tpl": "RED"}, "hosted_max_tlp"),
        (PolicyRequest, {"hosted-max-tlp": "RED"}, "hosted_max_tlp"),
        (ConnectionRequest, {"provider": "vllm", "BaseURL": "http://h"}, "base_url"),
        (
            AssignmentsRequest,
            {"agents": {"triage": {"connection": "vllm", "modell": "m"}}},
            "model",
        ),
        (ExplainBody, {"planned": {"policy": {"requires_tlp": True}}}, "require_tlp"),
        (TestRequest | None, {"roles": "specialist"}, "role"),
    ],
)
def test_a_misspelt_field_is_told_the_nearest_that_stands_there(
    body: Any,  # noqa: ANN401 - any annotation
    sent: dict[str, Any],
    nearest: str,
) -> None:
    """At its own place in the body: in what is planned, of an agent."""
    assert messages_for(body, sent) == [f"Unknown field: did you mean {nearest}?"]


def test_a_field_like_none_is_told_what_is_taken_there() -> None:
    """So that the caller needn't look it up."""
    (message,) = messages_for(AssignmentsRequest, {"force": 1})
    assert message == "Unknown field: this takes roles, agents"


def test_what_was_sent_is_not_repeated() -> None:
    """It may be a key that was entered in the wrong place."""
    assert SECRET not in str(messages_for(PolicyRequest, {SECRET: 1}))


def test_only_some_are_compared() -> None:
    """A body may hold thousands of unknown fields."""
    messages = messages_for(PolicyRequest, {f"require_tlp{n}": 1 for n in range(1_000)})
    assert sum("did you mean" in one for one in messages) == MOST_COMPARED

"""Which options a connection can have."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aurorasoc.config.call_options import NO_OPTIONS, CallOptions
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.llm.adoption.option_rules import MOST_TOKENS, sound
from aurorasoc.llm.changes.requests import ConnectionOptions, ConnectionRequest

ALL: Final[dict[str, Any]] = {
    "temperature": 0.2,
    "max_output_tokens": 2048,
    "reasoning_effort": "low",
    "timeout": 120,
    "first_token_timeout": 0.5,
    "structured_output": "json_object",
    "headers": {"OpenAI-Organization": "org-1", "x-team": "Tier 2"},
}
SECRET: Final = "sk-0123456789abcdef0123456789abcdef"

OPTIONS: Final = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.none() | st.floats(0, 2),
        "max_output_tokens": st.none() | st.integers(1, MOST_TOKENS),
        "reasoning_effort": st.sampled_from([None, "none", "minimal", "low", "xhigh", "max"]),
        "timeout": st.none() | st.floats(0, 3600, exclude_min=True),
        "first_token_timeout": st.none() | st.floats(0, 3600, exclude_min=True),
        "structured_output": st.sampled_from([None, "auto", "json_schema", "prompt"]),
        "headers": st.none()
        | st.dictionaries(
            st.from_regex(r"x-[a-j]{1,8}", fullmatch=True),
            st.from_regex(r"[a-z]{1,12}", fullmatch=True),
            max_size=16,
        ),
    },
)


def _refusal(**options: Any) -> str:
    """Return the messages of a refused request."""
    with pytest.raises(ValidationError) as caught:
        ConnectionOptions.model_validate(options)
    return json.dumps([issue["msg"] for issue in caught.value.errors(include_input=False)])


def test_every_option_is_taken() -> None:
    """Headers by their names in small letters."""
    options = ConnectionOptions.model_validate(ALL).as_call_options()
    headers = {"openai-organization": "org-1", "x-team": "Tier 2"}
    assert options == CallOptions(**ALL | {"headers": headers})


@pytest.mark.parametrize("name", ALL)
def test_null_is_not_set(name: str) -> None:
    """Neither is what is missing."""
    assert ConnectionOptions.model_validate({name: None}).as_call_options() == NO_OPTIONS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("temperature", "1"),
        ("temperature", True),
        ("max_output_tokens", 0),
        ("max_output_tokens", 1.5),
        ("max_output_tokens", MOST_TOKENS + 1),
        ("max_output_tokens", True),
        ("reasoning_effort", "enormous"),
        ("timeout", 0),
        ("timeout", 3600.1),
        ("timeout", float("inf")),
        ("first_token_timeout", -1),
        ("structured_output", "xml"),
        ("headers", ["x-team"]),
        ("headers", {"x-team": 1}),
        ("headers", {f"x-{n}": "1" for n in range(17)}),
    ],
)
def test_a_value_outside_its_range_or_type_is_refused(name: str, value: object) -> None:
    """Nothing is converted."""
    _refusal(**{name: value})


def test_an_unknown_option_is_refused_by_name() -> None:
    """With the names that there are, and without its value."""
    refusal = _refusal(top_k=SECRET)
    assert "top_k" in refusal
    assert "max_output_tokens" in refusal
    assert SECRET not in refusal


def test_an_unknown_name_that_is_no_word_is_not_repeated() -> None:
    """Somebody may paste a key there."""
    assert SECRET not in _refusal(**{SECRET: 1})


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "api-key",
        "apikey",
        "X-API-Key",
        "x_api_key",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "x-auth-user",
        "x-amz-security-token",
        "x-vault-token",
        "x-client-secret",
        "x-access-token",
        "x-accesstoken",
        "X-Password",
        "idempotency-key",
        "x-signature",
    ],
)
def test_a_header_that_carries_a_credential_is_refused(name: str) -> None:
    """By name, with what to do."""
    refusal = _refusal(headers={name: "1"})
    assert name.lower() in refusal
    assert "store a key" in refusal


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Content-Type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "user-agent",
        "anthropic-version",
        "proxy-connection",
        "te",
        "expect",
        "x-forwarded-for",
        "forwarded",
        "x-http-method-override",
    ],
)
def test_a_header_that_the_service_sets_is_refused(name: str) -> None:
    """Another value would break the request, or lie about it."""
    assert f"{name.lower()} is set" in _refusal(headers={name: "1"})


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a\r\nb", "ä", "x-" + "a" * 63, f"x-{SECRET}", SECRET]
)
def test_what_is_no_name_is_refused_and_not_repeated(name: str) -> None:
    """It may be a key that was entered in the wrong place."""
    refusal = _refusal(headers={name: "1"})
    assert not name or name not in refusal


@pytest.mark.parametrize("value", ["", " a", "a ", "a\r\nx: y", "a\x00", "ä", "a" * 1025])
def test_what_is_no_value_of_a_header_is_refused(value: str) -> None:
    """Printable ASCII, at most 1,024 characters."""
    assert "x-team must be printable" in _refusal(headers={"x-team": value})


def test_one_header_in_two_spellings_is_refused() -> None:
    """Only one of them would be sent."""
    assert "x-team is there twice" in _refusal(headers={"x-team": "1", "X-Team": "2"})


@pytest.mark.parametrize("value", [SECRET, f"Bearer {SECRET}", "0123456789abcdef0123456789abcdef"])
def test_a_value_that_looks_like_a_secret_is_refused(value: str) -> None:
    """By the name of its header; the value isn't repeated."""
    refusal = _refusal(headers={"x-team": value})
    assert "x-team looks like a secret" in refusal
    assert value not in refusal


def test_a_value_that_holds_a_key_in_force_is_refused() -> None:
    """However ordinary it looks."""
    REDACTOR.learn(["an ordinary pass phrase"])
    assert "holds a secret" in _refusal(headers={"x-team": "an ordinary pass phrase"})


def test_new_key_in_a_header_is_refused() -> None:
    """No process knows it yet, and it may look like anything."""
    body = {"provider": "openai", "api_key": "plain-words"}
    with pytest.raises(ValidationError, match="hold the key"):
        ConnectionRequest.model_validate(
            body | {"options": {"headers": {"x-team": "for plain-words"}}}
        )


@given(OPTIONS)
def test_what_a_request_may_set_is_sound_when_it_is_read_again(options: dict[str, Any]) -> None:
    """The same rules hold at both ends, and nothing is lost between."""
    asked = ConnectionOptions.model_validate(options).as_call_options()
    stored = CallOptions(**json.loads(json.dumps(asked.as_json())))
    assert sound(stored) == asked


@given(OPTIONS, st.sampled_from(["cookie", "host", "x-api-key", "a b"]))
def test_stored_options_with_a_forbidden_header_are_not_sound(
    options: dict[str, Any], name: str
) -> None:
    """Whatever else they say: the database's running role may write rows."""
    headers = {name: "1"}
    assert sound(CallOptions(**options | {"headers": headers})) is None


@pytest.mark.parametrize("wrong", [{"temperature": 9.0}, {"timeout": 1e9}])
def test_stored_options_out_of_range_are_not_sound(wrong: dict[str, Any]) -> None:
    """A bound holds where it is used, not only where it is entered."""
    assert sound(CallOptions(**wrong)) is None

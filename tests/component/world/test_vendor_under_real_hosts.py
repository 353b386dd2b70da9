"""BeeAI's own adapters reach the test world under the vendors' real host names."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import Fault, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.component.world.conftest import BeeAI
    from tests.world.connect_proxy import ConnectProxy
    from tests.world.vendor import VendorServer

HOSTED = {
    "openai": ("gpt-4o", "api.openai.com", "/v1/chat/completions"),
    "deepseek": ("deepseek-v4-flash", "api.deepseek.com", "/beta/chat/completions"),
    "anthropic": ("claude-sonnet-4-6", "api.anthropic.com", "/v1/messages"),
    "gemini": (
        "gemini-2.5-pro",
        "generativelanguage.googleapis.com",
        "/v1beta/models/gemini-2.5-pro:generateContent",
    ),
}
every_hosted = pytest.mark.parametrize("provider", HOSTED)


@pytest.fixture(autouse=True)
def _fresh(world_vendor: "VendorServer") -> "Iterator[None]":
    world_vendor.clear()
    yield
    world_vendor.clear()


def ask(
    beeai: "BeeAI",
    provider: str,
    mode: str = "chat",
    **case: Any,
) -> dict[str, Any]:
    """Ask a hosted provider with its valid key."""
    options = {"api_key": VENDOR_KEYS[provider]} | case.pop("options", {})
    return beeai.call(f"{provider}:{HOSTED[provider][0]}", mode, options=options, **case)


def failure(outcome: dict[str, Any]) -> tuple[str, int]:
    """Return litellm's class and status: the second link, below BeeAI's ChatModelError."""
    link = outcome["error"][1]
    return link["class"].removeprefix("litellm.exceptions."), link["status_code"]


@every_hosted
def test_chat_arrives_under_the_vendors_own_name(
    beeai: "BeeAI", world_vendor: "VendorServer", world_proxy: "ConnectProxy", provider: str
) -> None:
    """A chat is answered, over verified TLS, at the host and path that the vendor documents."""
    model, host, path = HOSTED[provider]
    assert ask(beeai, provider)["text"] == f"{model} says: pong"
    (request,) = world_vendor.requests
    assert (request.host, request.path, request.tls) == (host, path, True)
    assert (host, 443) in world_proxy.connects


@every_hosted
def test_stream_arrives_piece_by_piece_with_usage(beeai: "BeeAI", provider: str) -> None:
    """A streamed answer comes in several pieces and ends with the tokens counted."""
    outcome = ask(beeai, provider, "stream")
    assert outcome["text"] == f"{HOSTED[provider][0]} says: pong"
    assert len([token for token in outcome["tokens"] if token]) == 3
    assert outcome["usage"]["total_tokens"] == 10


@every_hosted
@pytest.mark.parametrize("mode", ["tool", "tool-required", "tool-stream"])
def test_offered_tool_is_called(beeai: "BeeAI", provider: str, mode: str) -> None:
    """An offered tool is called, with arguments that fit its schema."""
    outcome = ask(beeai, provider, mode)
    assert outcome["tools"] == [["lookup", f'{{"host": "{HOSTED[provider][0]} says: pong"}}']]


@every_hosted
@pytest.mark.parametrize("mode", ["structured", "structured-stream"])
def test_structured_answer_fits_its_class(beeai: "BeeAI", provider: str, mode: str) -> None:
    """A Pydantic class as response format is answered by an instance; DeepSeek refuses it."""
    outcome = ask(beeai, provider, mode)
    if provider == "deepseek":
        assert failure(outcome) == ("BadRequestError", 400)
        assert "response_format type is unavailable" in outcome["error"][1]["text"]
    else:
        assert outcome["structured"]["confidence"] == 1


def test_nothing_but_the_vendors_was_called(beeai: "BeeAI", world_proxy: "ConnectProxy") -> None:
    """With litellm's two local switches set, no call home passes the proxy."""
    for provider in HOSTED:
        ask(beeai, provider, "structured")
    assert {host for host, _ in world_proxy.connects} <= {row[1] for row in HOSTED.values()}
    assert world_proxy.refused == []


@pytest.mark.parametrize(
    ("name", "suffix"), [("ollama:granite4:8b", ""), ("openai:granite-soc-specialist", "/v1")]
)
@pytest.mark.parametrize("mode", ["chat", "stream", "tool", "structured"])
def test_local_backends_answer_without_a_key(
    beeai: "BeeAI", keyless: "VendorServer", name: str, suffix: str, mode: str
) -> None:
    """Ollama and vLLM (the openai adapter with a base URL) answer on plain loopback."""
    options = {"api_key": "not-needed", "base_url": keyless.url + suffix}
    outcome = beeai.call(name, mode, options=options)
    assert "error" not in outcome
    assert keyless.requests[-1].path == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("provider", "kind", "status"),
    [
        ("openai", "AuthenticationError", 401),
        ("deepseek", "BadRequestError", 401),
        ("anthropic", "AuthenticationError", 401),
        ("gemini", "AuthenticationError", 401),
    ],
)
def test_wrong_key_is_refused_as_each_vendor_does(
    beeai: "BeeAI", provider: str, kind: str, status: int
) -> None:
    """A wrong key is refused; only the status code is the same everywhere, not the class."""
    outcome = ask(beeai, provider, options={"api_key": "wrong-0123456789"})
    assert failure(outcome) == (kind, status)


@pytest.mark.parametrize(
    ("provider", "refusal", "kind", "status"),
    [
        ("openai", Refusal.UNKNOWN_MODEL, "NotFoundError", 404),
        ("deepseek", Refusal.UNKNOWN_MODEL, "BadRequestError", 400),
        ("anthropic", Refusal.UNKNOWN_MODEL, "NotFoundError", 404),
        ("gemini", Refusal.UNKNOWN_MODEL, "NotFoundError", 404),
        ("openai", Refusal.QUOTA, "RateLimitError", 429),
        ("deepseek", Refusal.QUOTA, "BadRequestError", 402),
        ("anthropic", Refusal.QUOTA, "BadRequestError", 400),
        ("gemini", Refusal.QUOTA, "RateLimitError", 429),
        ("anthropic", Refusal.UNPAID, "PaymentRequiredError", 402),
        ("anthropic", Refusal.OVERLOADED, "InternalServerError", 500),
        ("openai", Refusal.OVERLOADED, "ServiceUnavailableError", 503),
    ],
)
def test_refusals_reach_the_caller_as_litellm_maps_them(
    beeai: "BeeAI",
    world_vendor: "VendorServer",
    *,
    provider: str,
    refusal: Refusal,
    kind: str,
    status: int,
) -> None:
    """The vendors' own refusals arrive with these classes: a map to classify errors by."""
    with world_vendor.faults.held(Fault(refusal=refusal)):
        assert failure(ask(beeai, provider)) == (kind, status)


@every_hosted
def test_polite_cut_looks_like_an_answer(
    beeai: "BeeAI", world_vendor: "VendorServer", provider: str
) -> None:
    """A stream that ends early but well-formed passes for complete: litellm says "stop"."""
    after = 4 if provider == "anthropic" else 2
    with world_vendor.faults.held(Fault(cut_after=after, cut_politely=True)):
        outcome = ask(beeai, provider, "stream")
    assert outcome["finish"] == "stop"
    assert "pong" not in outcome["text"]


@every_hosted
def test_cut_stream_raises_after_the_first_pieces(
    beeai: "BeeAI", world_vendor: "VendorServer", provider: str
) -> None:
    """A stream that breaks in the middle raises, after what came before was handed on."""
    with world_vendor.faults.held(Fault(cut_after=4)):
        outcome = ask(beeai, provider, "stream")
    assert failure(outcome) == ("MidStreamFallbackError", 500)
    assert any(outcome["tokens"])


@pytest.mark.parametrize(
    ("provider", "raises"),
    [("openai", False), ("deepseek", False), ("anthropic", True), ("gemini", True)],
)
def test_answer_without_visible_tokens(
    beeai: "BeeAI", world_vendor: "VendorServer", provider: str, *, raises: bool
) -> None:
    """An answer that is all thinking is empty text from some vendors and an error from others."""
    with world_vendor.faults.held(Fault(empty_content=True)):
        outcome = ask(beeai, provider)
    if raises:
        assert outcome["error"][0]["class"].endswith(".EmptyChatModelResponseError")
    else:
        assert (outcome["text"], outcome["finish"]) == ("", "length")

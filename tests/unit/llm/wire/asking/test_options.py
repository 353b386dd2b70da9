"""What `run()` takes: a list, and nothing beside it."""

from typing import Final

import pytest
from beeai_framework.backend.chat import ChatModelOptions
from beeai_framework.backend.types import ChatModelParameters

from aurorasoc.errors import InvalidInput
from aurorasoc.llm.wire.asking.options import ALLOWED, cache_points, require_known, translated

CARRIERS: Final = (
    "api_base",
    "api_key",
    "base_url",
    "callbacks",
    "client",
    "custom_llm_provider",
    "extra_body",
    "extra_headers",
    "fallbacks",
    "litellm_params",
    "logger_fn",
    "metadata",
    "mock_response",
    "model",
    "model_list",
    "timeout",
    "user",
)


@pytest.mark.parametrize("name", CARRIERS)
def test_what_could_lead_a_call_elsewhere_is_refused_by_name(name: str) -> None:
    """LiteLLM takes some hundred options, and some of them carry a call away."""
    with pytest.raises(InvalidInput, match=f"run\\(\\) takes no {name}"):
        require_known({"temperature": 0.5, name: "https://elsewhere.invalid"})


@pytest.mark.parametrize("name", CARRIERS)
def test_what_an_adapter_adds_is_not_handed_on(name: str) -> None:
    """BeeAI's adapters mix their settings into a request: those stay here."""
    assert translated({name: "https://elsewhere.invalid", "top_p": 0.5}, {"top_p"}) == {
        "top_p": 0.5
    }


def test_all_that_beeai_documents_is_taken() -> None:
    """An agent that was written for BeeAI runs on a handle."""
    documented = set(ChatModelOptions.__annotations__) | set(ChatModelParameters.model_fields)
    require_known(dict.fromkeys(documented))
    assert documented <= ALLOWED


def test_several_answers_are_refused() -> None:
    """One is read; the others would be paid for."""
    require_known({"n": 1})
    with pytest.raises(InvalidInput, match="one answer"):
        require_known({"n": 2})


def test_stop_sequences_have_openais_name_and_none_is_nothing() -> None:
    """What a caller left out isn't sent."""
    adapted = {"stop_sequences": ["END"], "seed": None, "max_tokens": 5}
    assert translated(adapted, set()) == {"stop": ["END"], "max_tokens": 5}


def test_cache_points_are_the_indices_of_messages() -> None:
    """As BeeAI's agents name them; what has none is left out."""
    points = [{"location": "message", "index": 1}, {"location": "tool_config"}, "x"]
    assert cache_points({"cache_control_injection_points": points}) == (1,)
    assert cache_points({}) == ()

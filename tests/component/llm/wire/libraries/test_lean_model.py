"""What is left out of BeeAI's models is missing nowhere."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from beeai_framework.cache import UnconstrainedCache
from beeai_framework.utils.strings import to_json

from aurorasoc.llm.wire.libraries import adapter
from tests.component.live import handle_on, variable
from tests.examples import settings
from tests.world.scripted import ScriptedUpstream

PRICED: Final = "gpt-4o"
"""A name that LiteLLM has a price for: OpenAI's."""

USAGE: Final = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


@pytest.fixture(autouse=True)
async def _libraries(libraries: None) -> AsyncIterator[None]:
    del libraries
    yield
    await adapter.close()


def _answer() -> list[bytes]:
    message = {"role": "assistant", "content": "ready"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    document = {"id": "1", "model": PRICED, "choices": [choice], "usage": USAGE}
    body = json.dumps(document | {"object": "chat.completion", "created": 0}).encode()
    return [f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body]


def _variables(provider: str, base_url: str) -> dict[str, str]:
    return {
        variable(provider, "BASE_URL"): base_url,
        variable(provider, "MODEL"): PRICED,
        variable(provider, "API_KEY"): "key-of-the-test-0123456789",
    }


@pytest.mark.parametrize(("provider", "priced"), [("openai", True), ("vllm", False)])
async def test_only_a_hosted_model_has_a_price(
    *, tmp_path: Path, provider: str, priced: bool
) -> None:
    """A local model that shares a name with a hosted one costs nothing; its tokens are counted."""
    with ScriptedUpstream(_answer) as upstream:
        variables = _variables(provider, f"{upstream.url}/v1")
        output = await handle_on(settings(tmp_path, **variables), provider).run([UserMessage("a")])
    assert output.usage.total_tokens == USAGE["total_tokens"]
    assert (output.cost.total_cost_usd > 0) is priced


async def test_a_conversation_is_a_key_only_where_there_is_a_cache(tmp_path: Path) -> None:
    """Without a cache the conversation isn't written down; with one, it tells answers apart."""
    variables = _variables("vllm", "http://127.0.0.1:9/v1")
    model: Any = handle_on(settings(tmp_path, **variables), "vllm").binding.model

    def key(text: str) -> str:
        asked, _ = model._prepare_model_input([UserMessage(text)], {})
        return to_json(asked, exclude_none=True)

    assert key("one") == key("two") == "null"
    model.cache = UnconstrainedCache[Any]()
    assert key("one") != key("two")

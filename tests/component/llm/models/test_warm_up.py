"""The warm-up reaches a stub of our own, or nothing."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.llm.models.warm_up import warm_up
from tests.component.live import World
from tests.examples import JWT_SECRET
from tests.world.capture import CaptureServer
from tests.world.connect_proxy import ConnectProxy
from tests.world.processes import ChildProcess, bare_env
from tests.world.vendor import Fault

CHILD: Final = Path(__file__).parent / "quiet_child.py"
STREAM: Final = b"""data: {"id":"1","object":"chat.completion.chunk","created":0,"model":"llama-3",\
"choices":[{"index":0,"delta":{"role":"assistant","content":"quiet"},"finish_reason":null}]}

data: {"id":"1","object":"chat.completion.chunk","created":0,"model":"llama-3",\
"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

"""


async def test_the_first_call_is_made_to_a_stub(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """No provider hears of it, and it succeeds."""
    with caplog.at_level("INFO", "aurorasoc.warm_up"):
        await warm_up()
    assert "no warm-up call" not in caplog.text
    assert '"warm"' in caplog.text
    assert world.keyed.requests + world.ollama.requests == []
    assert world.proxy.connects == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
async def test_behind_a_proxy_that_would_take_it_elsewhere_it_is_left_out(
    world: World, capture: CaptureServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A proxy is another host."""
    del world
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv(variable, capture.url)
    await warm_up()
    assert capture.connections == 0


async def test_it_can_be_cancelled(world: World) -> None:
    """A service that is stopped at once doesn't wait for it."""
    del world
    warming = asyncio.create_task(warm_up())
    await asyncio.sleep(0)
    warming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warming


def test_nothing_calls_home(world: World, database_file: Path, tmp_path: Path) -> None:
    """Import of everything, boot, warm-up, idle, and a streamed answer without usage.

    litellm counts such an answer's tokens with a tokenizer that it would fetch. All connections
    are seen: those through the proxy by the proxy, the others by an audit hook.
    """
    body = Fault(status=200, body=STREAM, media_type="text/event-stream")
    world.ollama.faults.set(body)
    with ConnectProxy(None) as home:
        env = bare_env(
            HTTPS_PROXY=home.url,
            HTTP_PROXY=home.url,
            NO_PROXY="127.0.0.1",
            JWT_SECRET_KEY=JWT_SECRET,
            AURORA_STATE_DIR=str(database_file.parent),
            LLM_BACKEND="ollama",
            LLM_OLLAMA_BASE_URL=world.ollama.url,
            LLM_OLLAMA_MODEL="llama-3",
        )
        with ChildProcess([sys.executable, CHILD], env=env, log=tmp_path / "child.log") as child:
            code = child.wait(90)
        assert (home.connects, home.refused) == ([], [])
    assert code == 0, child.output
    assert "answer: quiet" in child.output
    assert "elsewhere: []" in child.output

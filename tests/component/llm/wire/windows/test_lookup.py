"""Each kind of server is asked for its window as it documents, and nothing it says is trusted."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.llm.wire.windows import lookup as window_lookup
from aurorasoc.llm.wire.windows.lookup import WindowAnswer, ask_server
from aurorasoc.local_model import CONTEXT, MODEL_NAME
from tests.examples import API_KEY, reference_at
from tests.world.local_model import local_model_url
from tests.world.loopback import LOOPBACK, LoopbackServer
from tests.world.vendor import Exchange
from tests.world.vendor.http1 import Answer, read_exchange

__all__ = ["local_model_url"]  # pytest finds it here

NOT_THERE: Final = Answer.of({"detail": "Not Found"}, 404)
Documents = dict[str, Any]


def listed(**row: object) -> Documents:
    """Return a list of models in OpenAI's form."""
    return {"/v1/models": {"object": "list", "data": [{"id": "other"}, {"id": "m", **row}]}}


VLLM: Final = listed(max_model_len=4096, owned_by="vllm")
LLAMA_CPP: Final = {
    "/v1/models": {"data": [{"id": "x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}]}
}
OLDER_LLAMA_CPP: Final = {
    "/v1/models": {
        "data": [{"id": "x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 131072}}]
    },
    "/props": {"default_generation_settings": {"n_ctx": 4096}},
}
TGI: Final = listed() | {"/info": {"max_input_tokens": 4000, "max_total_tokens": 4096}}
LM_STUDIO: Final = listed() | {
    "/api/v0/models": {
        "data": [{"id": "m", "max_context_length": 131072, "loaded_context_length": 4096}]
    }
}
LITELLM_PROXY: Final = listed() | {
    "/model/info": {"data": [{"model_name": "m", "model_info": {"max_input_tokens": 4096}}]}
}
OLLAMA: Final[Documents] = {
    "/api/ps": {"models": [{"name": "m:latest", "model": "m:latest", "context_length": 4096}]}
}
NOT_LOADED: Final[Documents] = {
    "/api/ps": {"models": []},
    "/api/show": {"parameters": "temperature 0.6\nnum_ctx                        8192"},
}
DEFAULT: Final[Documents] = {
    "/api/ps": {"models": []},
    "/api/show": {"model_info": {"qwen3.context_length": 40960}},
}


class Documented(LoopbackServer):
    """Answers each path with its document."""

    def __init__(self) -> None:
        """Prepare it; it answers 404 until it has documents."""
        super().__init__()
        self.documents: Documents = {}
        self.requests: list[Exchange] = []
        self.port = 0

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://{LOOPBACK}:{self.port}"

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: Any, writer: Any) -> None:  # noqa: ANN401 - asyncio's
        while (exchange := await read_exchange(reader, tls=False)) is not None:
            self.requests.append(exchange)
            document = self.documents.get(exchange.path)
            answer = NOT_THERE if document is None else Answer.of(document)
            if isinstance(document, bytes):
                answer = Answer(body=document)
            writer.write(answer.head() + answer.body)
            await writer.drain()


@pytest.fixture(scope="module")
def running() -> Iterator[Documented]:
    """Start the server once."""
    with Documented() as server:
        yield server


@pytest.fixture
def server(running: Documented) -> Documented:
    """Return it without documents."""
    running.documents = {}
    running.requests.clear()
    return running


async def ask(server: Documented, provider: str) -> WindowAnswer | None:
    """Ask it as a provider."""
    root = server.url if provider in {"ollama", "anthropic"} else f"{server.url}/v1"
    return await ask_server(reference_at(provider, base_url=root), None)


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param(VLLM, id="vLLM"),
        pytest.param(LLAMA_CPP, id="llama.cpp"),
        pytest.param(OLDER_LLAMA_CPP, id="older llama.cpp"),
        pytest.param(TGI, id="TGI"),
        pytest.param(LM_STUDIO, id="LM Studio"),
        pytest.param(LITELLM_PROXY, id="LiteLLM's proxy"),
        pytest.param(listed(context_length=4096), id="OpenRouter"),
        pytest.param(listed(context_window=4096), id="Groq"),
        pytest.param(listed(max_context_length=4096), id="Mistral"),
    ],
)
@pytest.mark.parametrize("provider", ["vllm", "openai"])
async def test_a_server_of_openais_protocol_names_its_window(
    server: Documented, provider: str, documents: Documents
) -> None:
    """The window in force, not the one that the model was trained for; with the key."""
    server.documents = documents
    assert await ask(server, provider) == WindowAnswer(4096)
    assert server.requests[0].headers["authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize(
    ("documents", "answer"),
    [
        pytest.param(OLLAMA, WindowAnswer(4096), id="loaded"),
        pytest.param(NOT_LOADED, WindowAnswer(8192), id="named in its Modelfile"),
        pytest.param(DEFAULT, WindowAnswer(4096, assumed=True), id="not loaded"),
        pytest.param({}, None, id="no Ollama"),
    ],
)
async def test_an_ollama_names_the_window_of_a_loaded_model(
    server: Documented, documents: Documents, answer: WindowAnswer | None
) -> None:
    """Until it is loaded, the least that Ollama serves is assumed, not what it was trained for."""
    server.documents = documents
    assert await ask(server, "ollama") == answer


async def test_a_vendor_of_another_protocol_names_it_in_its_list(server: Documented) -> None:
    """Anthropic's list, with the headers that it asks for; nothing else is asked there."""
    server.documents = {"/v1/models": {"data": [{"id": "m", "max_input_tokens": 4096}]}}
    assert await ask(server, "anthropic") == WindowAnswer(4096)
    server.documents = {"/v1/models": {"data": [{"id": "m"}]}}
    server.requests.clear()
    assert await ask(server, "anthropic") is None
    assert [one.path for one in server.requests] == ["/v1/models"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"data": "none"},
        {"data": [{"id": "m", "max_model_len": "4096"}]},
        {"data": [{"id": "m", "max_model_len": True}]},
        {"data": [{"id": "other", "max_model_len": 4096}]},
        {"data": [None, 7]},
        b"not JSON",
        b"[" * 60_000,
        b" " * (window_lookup.MAX_BYTES + 1),
    ],
    ids=["list", "text", "quoted", "boolean", "other model", "no rows", "no JSON", "deep", "long"],
)
async def test_what_is_no_window_is_none(server: Documented, document: object) -> None:
    """A server's answer is bounded and read by its types."""
    server.documents = {"/v1/models": document}
    assert await ask(server, "vllm") is None


async def test_a_server_that_stalls_is_given_up(
    server: Documented, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds for all questions together."""
    monkeypatch.setattr(window_lookup, "SECONDS", 0.0)
    server.documents = VLLM
    assert await ask(server, "vllm") is None


async def test_an_address_that_is_forbidden_is_not_asked(server: Documented) -> None:
    """The look-up goes where calls may go, and nowhere else."""
    server.documents = VLLM
    asked = reference_at("vllm", base_url=f"{server.url}/v1")
    assert await ask_server(asked, AddressPolicy(only=())) is None
    assert server.requests == []


async def test_a_real_llama_cpp_names_its_window(local_model_url: str) -> None:
    """Under any name, as it answers to any."""
    for model in (MODEL_NAME, "an-alias"):
        asked = reference_at("vllm", model, f"{local_model_url}/v1")
        assert await ask_server(asked, None) == WindowAnswer(CONTEXT)

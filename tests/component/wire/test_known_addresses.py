"""The services whose addresses are known: what each is sent, and what its answers become."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.errors import EndpointNotFound
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, KnownAddress
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.model_lists import ModelLists
from aurorasoc.llm.wire.answers.outcome import Finish, outcome_of
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.libraries import adapter
from tests.component.live import handle_on, variable
from tests.component.wire.known_answers import ANSWERS, piece, whole
from tests.component.wire.table import PLAIN_HEADERS
from tests.examples import settings
from tests.world.known_vendor import KnownVendor, events

ROWS: Final = {row.name: row for row in KNOWN_ADDRESSES}
KEY: Final = "a-key-0123456789abcdef"
PING: Final[list[Any]] = [UserMessage("ping")]

every_service = pytest.mark.parametrize("name", ROWS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def handle_at(server: KnownVendor, row: KnownAddress, folder: Path) -> LiveChatModel:
    """Return a handle on a service that stands on loopback, with a key."""
    variables = {
        variable(row.provider, "BASE_URL"): f"{server.url}{row.root}",
        variable(row.provider, "MODEL"): row.model,
        variable(row.provider, "API_KEY"): KEY,
        "LLM_MAX_RETRIES": "0",
        "AURORA_ALLOWED_HOSTS": "127.0.0.1",
    }
    return handle_on(settings(folder, **variables), row.provider)


@pytest.fixture
async def closed(libraries: None) -> AsyncIterator[None]:
    """Let no connection outlive the test."""
    del libraries
    yield
    await adapter.close()


pytestmark = pytest.mark.usefixtures("closed")


@pytest.fixture
def server(name: str, stream: bool) -> Iterator[KnownVendor]:  # noqa: FBT001 - a row of the table
    """Start the service of a test."""
    answers = ANSWERS[name]
    answer = answers.streamed if stream else answers.whole
    with KnownVendor(answer, models=answers.models) as started:
        yield started


def test_every_known_address_has_answers() -> None:
    """A new row comes with what its vendor answers."""
    assert ANSWERS.keys() == ROWS.keys()


@every_service
@both_ways
async def test_request_is_openais_alone(
    server: KnownVendor,
    tmp_path: Path,
    name: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Below the base URL, with the key as a bearer token and nothing that nobody asked for."""
    row = ROWS[name]
    await handle_at(server, row, tmp_path).run(PING, stream=stream, max_tokens=17)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"{row.root}/chat/completions")
    assert request.query == {}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers.keys() == PLAIN_HEADERS - {"connection"} | {"authorization"}
    streaming = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    assert request.body == {
        "model": row.model,
        "messages": [{"role": "user", "content": "ping"}],
        "max_tokens": 17,
        **streaming,
    }


@every_service
@both_ways
async def test_answer_is_understood(
    server: KnownVendor,
    tmp_path: Path,
    name: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Text and thoughts apart, how it ended, and what was counted."""
    output = await handle_at(server, ROWS[name], tmp_path).run(PING, stream=stream)
    outcome = outcome_of(output)
    assert (outcome.text, outcome.thoughts) == ("pong", ANSWERS[name].thoughts)
    assert outcome.finish is Finish.STOP
    assert outcome.usage == Usage(9, 5, 14, None)
    assert outcome.model == "answering-model"
    assert output.get_text_content() == "pong"
    assert output.usage is not None
    assert (output.usage.prompt_tokens, output.usage.completion_tokens) == (9, 5)


@both_ways
async def test_full_window_is_a_cut_answer(
    tmp_path: Path,
    stream: bool,  # noqa: FBT001 - of the answer
) -> None:
    """Mistral has a word of its own for it."""
    cut = {"content": "half"}
    answer = events(piece(cut), piece({}, "model_length")) if stream else whole(cut, "model_length")
    with KnownVendor(answer) as server:
        output = await handle_at(server, ROWS["mistral"], tmp_path).run(PING, stream=stream)
    assert outcome_of(output).finish is Finish.LENGTH


@every_service
@pytest.mark.parametrize("stream", [False], ids=[""])
async def test_models_are_listed(
    server: KnownVendor,
    tmp_path: Path,
    name: str,
    stream: bool,  # noqa: FBT001 - of the server
) -> None:
    """In the shape that the service writes them in; Bedrock documents no list."""
    del stream
    row, answers = ROWS[name], ANSWERS[name]
    reference = handle_at(server, row, tmp_path).binding.reference
    if answers.models is None:
        with pytest.raises(EndpointNotFound):
            await ModelLists().of(reference, "tag", None)
    else:
        assert (await ModelLists().of(reference, "tag", None)).models == answers.listed
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", f"{row.root}/models")

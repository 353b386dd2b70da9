"""Options that a model refuses: the call is made again without them, and that is remembered."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import (
    AssistantMessage,
    MessageToolCallContent,
    MessageToolResultContent,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from beeai_framework.tools import StringToolOutput, tool
from pydantic import BaseModel, Field

from aurorasoc.errors import ProviderTimeout, RequestRefused
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.answers.outcome import outcome_of
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.asking.leave_out import MOST
from aurorasoc.llm.wire.calls import CallSite, Refused
from aurorasoc.llm.wire.failures.refusals import OptionRefused
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.libraries import adapter
from tests.component.live import KEYS, handle_on, variable
from tests.examples import settings
from tests.world.picky import (
    PickyServer,
    Rule,
    refuses,
    refuses_format,
    refuses_ids,
    refuses_parts,
    refuses_role,
)

PING: Final[list[Any]] = [UserMessage("ping")]
GUIDED: Final[list[Any]] = [SystemMessage("Be brief."), UserMessage("ping")]
PROVIDERS: Final = ("openai", "vllm", "ollama")


class Verdict(BaseModel):
    """A structured answer."""

    severity: str = Field(max_length=10)


@tool
def lookup(address: str) -> StringToolOutput:
    """Look an address up."""
    return StringToolOutput(f"{address} is known")


@pytest.fixture(autouse=True)
async def _direct(libraries: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Call the servers of this file without a proxy."""
    del libraries
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
    await adapter.close()


def handle_to(
    server: PickyServer,
    folder: Path,
    provider: str = "openai",
    ledger: TrafficLedger | None = None,
    **variables: str,
) -> LiveChatModel:
    """Return a handle on a model of one's own name at a server."""
    places = {
        variable(provider, "BASE_URL"): server.url if provider == "ollama" else f"{server.url}/v1",
        variable(provider, "MODEL"): "soc-reasoner",
        "LLM_MAX_RETRIES": "0",
    }
    if provider in KEYS:
        places[variable(provider, "API_KEY")] = KEYS[provider]
    return handle_on(settings(folder, **places | variables), provider, ledger)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


LEFT_OUT: Final[dict[str, tuple[Rule, dict[str, Any]]]] = {
    "temperature": (refuses("temperature"), {"temperature": 0.5}),
    "top_p": (refuses("top_p", "invalid top_p: only 0.95 is allowed"), {"top_p": 0.5}),
    "top_k": (refuses("top_k", "Unrecognized request argument supplied: top_k"), {"top_k": 5}),
    "seed": (refuses("seed", "seed: Extra inputs are not permitted"), {"seed": 5}),
    "presence_penalty": (refuses("presence_penalty"), {"presence_penalty": 0.1}),
    "frequency_penalty": (refuses("frequency_penalty"), {"frequency_penalty": 0.1}),
    "parallel_tool_calls": (
        refuses("parallel_tool_calls", "property 'parallel_tool_calls' is unsupported"),
        {"parallel_tool_calls": True, "tools": [lookup]},
    ),
    "reasoning_effort": (
        refuses("reasoning_effort", "Unknown parameter: 'reasoning_effort'."),
        {"reasoning_effort": "low"},
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
async def test_refused_option_is_left_out_at_once_and_never_sent_again(
    tmp_path: Path, name: str, *, stream: bool
) -> None:
    """One refused request in all, however many calls follow."""
    rule, options = LEFT_OUT[name]
    with PickyServer(rule) as server:
        handle = handle_to(server, tmp_path, "vllm")
        for _ in range(2):
            answer = await handle.run(PING, stream=stream, **options)
            assert answer.get_text_content() == "pong"
        assert [name in body for body in server.bodies] == [True, False, False]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_reasoning_model_under_a_name_of_ones_own_answers(
    tmp_path: Path, provider: str, *, stream: bool
) -> None:
    """It refuses a temperature, and `max_tokens` by that name."""
    refusals = (refuses("temperature"), refuses("max_tokens"))
    with PickyServer(*refusals) as server:
        handle = handle_to(server, tmp_path, provider)
        for _ in range(2):
            await handle.run(PING, stream=stream, temperature=0, max_tokens=17)
        assert len(server.bodies) == 4
        assert server.bodies[-1]["max_completion_tokens"] == 17
        assert server.bodies[-1].keys().isdisjoint({"temperature", "max_tokens"})


async def test_bound_on_tokens_has_its_older_name_where_the_newer_is_refused(
    tmp_path: Path, *, stream: bool
) -> None:
    """A proxy may serve OpenAI's model by an older protocol."""
    refusal = refuses(
        "max_completion_tokens", "Extra inputs are not permitted: max_completion_tokens"
    )
    with PickyServer(refusal) as server:
        handle = handle_to(server, tmp_path, LLM_OPENAI_COMPATIBLE_MODEL="o3")
        await handle.run(PING, stream=stream, max_tokens=17)
        assert [body.get("max_tokens") for body in server.bodies] == [None, 17]


async def test_model_that_takes_no_bound_is_called_without_one(tmp_path: Path) -> None:
    """Both names are tried once."""
    with PickyServer(refuses("max_tokens"), refuses("max_completion_tokens")) as server:
        handle = handle_to(server, tmp_path)
        for _ in range(2):
            await handle.run(PING, max_tokens=17)
        bounds = {"max_tokens", "max_completion_tokens"}
        assert [len(bounds & body.keys()) for body in server.bodies] == [1, 1, 0, 0]


async def test_structured_output_steps_down_to_what_the_server_takes(
    tmp_path: Path, *, stream: bool
) -> None:
    """A schema, plain JSON mode with the schema in the prompt, the prompt alone."""
    rules = (refuses_format("json_schema"), refuses_format("json_object"))
    with PickyServer(*rules, says='{"severity": "low"}') as server:
        handle = handle_to(server, tmp_path)
        for _ in range(2):
            answer = await handle.run(PING, response_format=Verdict, stream=stream)
            assert answer.output_structured == Verdict(severity="low")
        kinds = [(body.get("response_format") or {}).get("type") for body in server.bodies]
        assert kinds == ["json_schema", "json_object", None, None]
        asked = [str(body["messages"]) for body in server.bodies]
        assert ["fits this JSON schema" in text for text in asked] == [False, True, True, True]


async def test_instructions_go_into_the_first_user_message_where_no_system_role_is_taken(
    tmp_path: Path, *, stream: bool
) -> None:
    """Nothing of them is lost."""
    with PickyServer(refuses_role("system")) as server:
        handle = handle_to(server, tmp_path)
        for _ in range(2):
            await handle.run(GUIDED, stream=stream)
        folded = [{"role": "user", "content": "Be brief.\n\nping"}]
        assert [len(body["messages"]) for body in server.bodies] == [2, 1, 1]
        assert server.bodies[-1]["messages"] == folded


async def test_stream_goes_on_without_its_usage_where_stream_options_are_refused(
    tmp_path: Path,
) -> None:
    """Older gateways know no `stream_options`."""
    with PickyServer(refuses("stream_options", "Unknown parameter: 'stream_options'.")) as server:
        handle = handle_to(server, tmp_path)
        for _ in range(2):
            await handle.run(PING, stream=True)
        assert ["stream_options" in body for body in server.bodies] == [True, False, False]


async def test_ids_of_tool_calls_are_renamed_where_their_form_is_refused(
    tmp_path: Path, *, stream: bool
) -> None:
    """A conversation that began elsewhere goes on; a call and its result keep one id."""
    call = MessageToolCallContent(id="call_8ab1cd2e", tool_name="lookup", args="{}")
    result = MessageToolResultContent(tool_call_id=call.id, tool_name="lookup", result="known")
    asked = [*PING, AssistantMessage([call]), ToolMessage([result])]
    with PickyServer(refuses_ids) as server:
        handle = handle_to(server, tmp_path)
        for _ in range(2):
            answer = await handle.run(asked, stream=stream)
            assert answer.get_text_content() == "pong"
        calls = [body["messages"][1]["tool_calls"][0]["id"] for body in server.bodies]
        assert calls == [body["messages"][2]["tool_call_id"] for body in server.bodies]
    assert calls[0] == call.id
    assert calls[1] == calls[2] != call.id


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_text_is_sent_as_text(tmp_path: Path, provider: str, *, stream: bool) -> None:
    """A server that knows no parts takes it at the first try."""
    with PickyServer(refuses_parts) as server:
        await handle_to(server, tmp_path, provider).run(GUIDED, stream=stream)
        assert len(server.bodies) == 1


async def test_refusal_inside_an_answer_is_one_too(tmp_path: Path, *, stream: bool) -> None:
    """Some servers have answered 200 by then."""
    with PickyServer(refuses("temperature"), status=200) as server:
        await handle_to(server, tmp_path).run(PING, stream=stream, temperature=0)
        assert ["temperature" in body for body in server.bodies] == [True, False]


async def test_refusal_in_place_of_a_stream_is_one_too(tmp_path: Path) -> None:
    """A server may answer a document where events were asked for, with 200."""
    with PickyServer(refuses("temperature"), status=200) as server:
        server.streams_errors = False
        await handle_to(server, tmp_path).run(PING, stream=True, temperature=0)
        assert ["temperature" in body for body in server.bodies] == [True, False]


async def test_one_call_learns_all_that_is_refused(tmp_path: Path, *, stream: bool) -> None:
    """Each option costs one refused request, once."""
    names = ("temperature", "top_p", "seed", "max_tokens")
    with PickyServer(refuses_role("system"), *map(refuses, names)) as server:
        handle = handle_to(server, tmp_path)
        options: dict[str, Any] = {"temperature": 0, "top_p": 0.5, "seed": 1, "max_tokens": 9}
        for _ in range(2):
            await handle.run(GUIDED, stream=stream, **options)
        assert len(server.bodies) == len(names) + 3


REFUSING: Final[list[Rule]] = [
    refuses_role("system"),
    refuses_format("json_schema"),
    refuses_format("json_object"),
    refuses("seed"),
    refuses("max_tokens"),
]


async def test_outcome_names_what_was_left_out_of_this_call(
    tmp_path: Path, *, stream: bool
) -> None:
    """Of what the model refuses, only what the caller asked for."""
    with PickyServer(*REFUSING, says='{"severity": "low"}') as server:
        handle = handle_to(server, tmp_path)
        options: dict[str, Any] = {
            "response_format": Verdict,
            "seed": 1,
            "max_tokens": 9,
            "top_p": 0.5,
        }
        for _ in range(2):
            outcome = outcome_of(await handle.run(GUIDED, stream=stream, **options))
            assert outcome.left_out == {
                Refusable.SYSTEM_ROLE,
                Refusable.JSON_SCHEMA,
                Refusable.JSON_OBJECT,
                Refusable.SEED,
                Refusable.MAX_TOKENS,
            }
            assert not outcome.left_out & outcome.sent
        outcome = outcome_of(await handle.run(PING, stream=stream, top_p=0.5))
        assert outcome.left_out == frozenset()


async def test_another_model_or_origin_starts_with_nothing_known(tmp_path: Path) -> None:
    """What one refuses says nothing of another."""
    with PickyServer(refuses("temperature")) as first, PickyServer() as second:
        handle = handle_to(first, tmp_path)
        learned = handle.binding.model.aurora_site.learned  # type: ignore[attr-defined]  # the mixed-in SentByUs
        await handle.run(PING, temperature=0)
        for server, model in ((first, "other"), (second, "soc-reasoner")):
            other = handle_to(server, tmp_path, LLM_OPENAI_COMPATIBLE_MODEL=model)
            object.__setattr__(other.binding.model.aurora_site, "learned", learned)  # type: ignore[attr-defined]  # the same
            server.requests.clear()
            await other.run(PING, temperature=0)
            assert "temperature" in server.bodies[0]


async def test_what_did_not_help_is_not_remembered(tmp_path: Path, *, stream: bool) -> None:
    """The reason was another one: the call fails, and the next one sends everything."""

    def refuses_all(_body: object) -> str:
        return "temperature is not supported"

    ledger = TrafficLedger()
    with PickyServer(refuses_all) as server:
        handle = handle_to(server, tmp_path, ledger=ledger)
        for _ in range(2):
            with pytest.raises(RequestRefused):
                await handle.run(PING, stream=stream, temperature=0)
        sent = ["temperature" in body for body in server.bodies]
        assert sent == [True, False, True, False]
    assert sum(ledger.counts.values()) == 2


async def test_option_that_was_left_out_is_no_failure(tmp_path: Path) -> None:
    """The provider's row shows the answer, not the way to it."""
    ledger = TrafficLedger()
    with PickyServer(refuses("temperature")) as server:
        await handle_to(server, tmp_path, ledger=ledger).run(PING, temperature=0)
    assert dict(ledger.counts) == {("openai", "ok"): 1}


def _refused(site: CallSite, option: Refusable) -> OptionRefused:
    return OptionRefused(option, site.reference, lasting=True)


@pytest.fixture
def site(tmp_path: Path) -> CallSite:
    """Return the surroundings of calls that have 0.2 seconds."""
    with PickyServer() as server:
        handle = handle_to(server, tmp_path, LLM_TIMEOUT="0.2")
        return CallSite(handle.binding.reference, translate, TrafficLedger())


async def test_all_tries_without_an_option_share_the_time_of_one(site: CallSite) -> None:
    """`LLM_TIMEOUT` holds for the call, not for each refusal."""

    async def attempt(refused: Refused) -> str:
        if not refused:
            time.sleep(0.3)  # noqa: ASYNC251 - uses the time up, however busy the machine
            raise _refused(site, Refusable.SEED)
        await asyncio.sleep(0.1)
        return "late"

    with pytest.raises(ProviderTimeout):
        await site.call(attempt)


async def test_tries_without_an_option_are_bounded(site: CallSite) -> None:
    """A server that refuses one after the other ends, too."""
    made: list[Refused] = []

    async def attempt(refused: Refused) -> str:
        made.append(refused)
        raise _refused(site, next(o for o in Refusable if o not in refused))

    with pytest.raises(RequestRefused):
        await site.call(attempt)
    assert len(made) == MOST + 1


async def test_each_transmission_is_judged(site: CallSite) -> None:
    """A key that was deleted meanwhile isn't sent again."""
    judged: list[str] = []

    async def judge_address() -> None:
        judged.append("address")

    async def attempt(refused: Refused) -> str:
        if not refused:
            raise _refused(site, Refusable.SEED)
        return "answer"

    watched = CallSite(
        site.reference,
        translate,
        TrafficLedger(),
        judge=lambda: judged.append("key"),
        judge_address=judge_address,
    )
    assert await watched.call(attempt) == "answer"
    assert judged == ["address", "key"] * 2

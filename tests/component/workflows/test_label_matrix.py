"""Label × backend × switch in mid-run: what is restricted never reaches a hosted endpoint.

Everything that leaves is captured three times over: the hosted vendors record the bytes they are
sent, the egress proxy every CONNECT, and a hook of the interpreter every connection that this
process makes. Each case sends a mark of its own; where the label allows it, the mark does arrive
at a vendor, so the capture would see the others.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from typing import Final

import pytest

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.errors import TlpRefused
from aurorasoc.llm.changes import edits
from aurorasoc.workflows import chat
from aurorasoc.workflows.investigation import store
from aurorasoc.workflows.investigation.alert import parse_alert
from aurorasoc.workflows.investigation.runner import open_runner
from tests.component.live import asked, until
from tests.component.workflows.stage import Stage, hook, new_mark, script, stage, state
from tests.examples import policy_request
from tests.world.canaries import SOAK
from tests.world.fixtures import egress, hosted, local_servers, world_variables
from tests.world.vendor import Fault

__all__ = [  # pytest finds them here
    "egress",
    "hook",
    "hosted",
    "local_servers",
    "script",
    "stage",
    "state",
    "world_variables",
]

HOSTED: Final = ("openai", "deepseek", "anthropic", "gemini")
BACKENDS: Final = (*HOSTED, "vllm", "ollama")
MAY_LEAVE: Final = (None, "CLEAR", "GREEN")
RESTRICTED: Final = ("AMBER", "AMBER+STRICT", "RED")
LABELS: Final = (*MAY_LEAVE, *RESTRICTED)
ON_RESPONSES: Final = ("openai gpt-5-codex", "openai o3-pro")
"""What OpenAI answers on `/v1/responses` only."""

LEADING: Final = ("gpt-5-codex", "responses/x", "claude-2", "x-replicate-y")
"""Names by which LiteLLM would choose another client, path or host."""

LED: Final = (
    tuple(product((*ON_RESPONSES, "vllm", "ollama"), LEADING))
    if SOAK
    else (
        (ON_RESPONSES[0], "responses/x"),
        (ON_RESPONSES[1], "x-replicate-y"),
        *(("vllm", name) for name in LEADING[:2]),
        *(("ollama", name) for name in LEADING[2:]),
    )
)
"""Where a run begins, and what the local backends' models are called."""


def investigate(stage: Stage, tlp: str | None) -> Callable[[str], Awaitable[None]]:
    """Run a whole investigation of an alert that holds the mark."""

    async def work(mark: str) -> None:
        alert = parse_alert({"title": mark, "note": mark})
        async with open_runner(stage.runtime) as runner:
            id_ = await runner.open(store.NewInvestigation(alert, mark, tlp, "analyst"))
            await until(lambda: not runner._tasks)
        async with stage.runtime.database.reading() as session:
            row = await store.find(session, id_, store.Viewer("admin", sees_all=True))
            assert row.status == "completed", row.failure

    return work


def converse(_stage: Stage, tlp: str | None) -> Callable[[str], Awaitable[None]]:
    """Chat about the mark, streamed."""

    async def work(mark: str) -> None:
        conversation = await chat.begin([chat.Message("user", mark)], tlp=tlp)
        assert [piece async for piece in conversation.stream()]

    return work


def let_an_agent_run(stage: Stage, tlp: str | None) -> Callable[[str], Awaitable[None]]:
    """Let an agent answer twice: the second run begins after the switch."""

    async def work(mark: str) -> None:
        agent = await AgentFactory(stage.runtime).build("threat-hunter", tlp=tlp)
        for _ in range(2):
            await stage.runtime.pool.prepare(tlp)  # a handle by itself doesn't probe
            assert (await agent.run(mark)).last_message.text

    return work


USES: Final = {"investigation": investigate, "chat": converse, "agent": let_an_agent_run}
every_use = pytest.mark.parametrize("use", USES)


def other(backend: str) -> str:
    """Return the backend that is switched to: a hosted one, always."""
    return "deepseek" if backend == "openai" else "openai"


def other_on_responses(choice: str) -> str:
    """Return the model of OpenAI's that is switched to: one on `/v1/responses`, always."""
    return ON_RESPONSES[choice == ON_RESPONSES[0]]


@every_use
@pytest.mark.parametrize("tlp", RESTRICTED)
async def test_restricted_data_never_reaches_a_hosted_endpoint(
    stage: Stage, use: str, tlp: str
) -> None:
    """From any backend, with a switch to a hosted one in mid-run: zero bytes, zero connections."""
    for backend in BACKENDS:
        work = USES[use](stage, tlp)
        mark = await stage.switched_in_mid_run(work, backend, other(backend))
        assert stage.captured_outside() == ([], [], set()), backend
        assert stage.sent_to(stage.local, mark), backend


@every_use
@pytest.mark.parametrize("tlp", MAY_LEAVE)
async def test_the_capture_sees_what_may_leave(stage: Stage, use: str, tlp: str | None) -> None:
    """The same runs with a label that allows it: the mark is found at the vendor."""
    for backend in BACKENDS:
        work = USES[use](stage, tlp)
        mark = await stage.switched_in_mid_run(work, backend, other(backend))
        moves_on = use != "chat"
        assert stage.sent_to(stage.hosted, mark) == (backend in HOSTED or moves_on), backend
        if stage.hosted.requests:
            _, connects, ports = stage.captured_outside()
            assert connects, backend
            assert ports, backend


@every_use
@pytest.mark.parametrize("tlp", RESTRICTED if SOAK else RESTRICTED[-1:])
@pytest.mark.soak
async def test_no_models_name_leads_restricted_data_to_a_hosted_endpoint(
    stage: Stage, use: str, tlp: str
) -> None:
    """From OpenAI's Responses and to them, beside local models that are called like hosted ones."""
    for before, name in LED:
        for backend in ("vllm", "ollama"):
            await stage.use(f"{backend} {name}")
        begin = before if before in ON_RESPONSES else f"{before} {name}"
        work = USES[use](stage, tlp)
        mark = await stage.switched_in_mid_run(work, begin, other_on_responses(begin))
        assert stage.captured_outside() == ([], [], set()), (before, name)
        assert stage.sent_to(stage.local, mark), (before, name)
        assert set(asked(stage.local)) == {name}, before


@every_use
@pytest.mark.parametrize("tlp", MAY_LEAVE if SOAK else MAY_LEAVE[-1:])
@pytest.mark.soak
async def test_the_capture_sees_what_may_leave_on_responses(
    stage: Stage, use: str, tlp: str | None
) -> None:
    """The control: both models are asked there, and nothing of OpenAI's elsewhere."""
    for before in ON_RESPONSES:
        after = other_on_responses(before)
        mark = await stage.switched_in_mid_run(USES[use](stage, tlp), before, after)
        begun, moved_to = (choice.partition(" ")[2] for choice in (before, after))
        assert stage.sent_to(stage.hosted, mark)
        assert {exchange.path for exchange in stage.hosted.requests} == {"/v1/responses"}
        assert set(asked(stage.hosted)) == ({begun} if use == "chat" else {begun, moved_to})
        _, connects, ports = stage.captured_outside()
        assert connects
        assert ports


@every_use
async def test_a_policy_that_is_tightened_in_mid_run_sends_nothing_more(
    stage: Stage, use: str
) -> None:
    """What was sent before it stays sent; after it the proxy and the vendors see nothing new."""
    await stage.use("openai")
    stage.clear()
    gate, mark = threading.Event(), new_mark()
    stage.hosted.faults.set(Fault(gate=gate))
    running = asyncio.ensure_future(USES[use](stage, "GREEN")(mark))
    await until(lambda: stage.sent_to(stage.hosted, mark))
    admin = stage.runtime.admin
    await admin.change(edits.set_policy(policy_request(hosted_max_tlp="NONE")), actor="test")
    sent = len(stage.hosted.requests)
    gate.set()
    with suppress(TlpRefused):
        await running
    assert len(stage.hosted.requests) == sent
    await admin.change(edits.set_policy(policy_request(hosted_max_tlp=None)), actor="test")

"""The label matrix with fallbacks: labels × ceilings × every order × a change in mid-call.

Everybody fails, so that everyone who may be asked is. Each call sends a mark, and what the vendors
recorded shows who was sent it. The rule is said again here, as plainly as can be.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import AuroraError
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.runtime import Runtime
from tests.component.in_line import KINDS, InLine, opened, servers
from tests.component.live import until, use
from tests.component.workflows.stage import new_mark
from tests.examples import policy_request
from tests.world.vendor import Fault, Refusal

__all__ = ["servers"]  # pytest finds them here

RANKS: Final = ("NONE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
POLICY: Final = "GREEN"
LOCAL: Final = "third"
DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)
ORDERS: Final = [order for length in (2, 3) for order in permutations(KINDS, length)]
"""Who is chosen, and the fallbacks behind."""

CEILINGS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {"first": "CLEAR"},
    {"second": "RED"},
    {"third": "CLEAR"},
    {"first": "NONE", "third": "GREEN"},
)


@dataclass(frozen=True)
class Rules:
    """Where a label may go."""

    ceilings: Mapping[str, str]

    def may_have(self, name: str, label: str | None) -> bool:
        """Whether a connection may be sent a label."""
        if label is None:
            return True
        ceiling = self.ceilings.get(name, "RED" if name == LOCAL else POLICY)
        return RANKS.index(label) <= RANKS.index(ceiling)

    def asked(self, order: tuple[str, ...], label: str | None) -> list[str]:
        """Return who is asked if everyone fails: the chosen one, or the local one instead."""
        chosen, *fallbacks = order
        first = chosen if self.may_have(chosen, label) else LOCAL
        if not self.may_have(first, label):
            return []
        rest = [name for name in fallbacks if name != first and self.may_have(name, label)]
        return [first, *rest]


@pytest.fixture
async def runtime(libraries: None, database_file: Path, servers: InLine) -> AsyncIterator[Runtime]:
    """Open a runtime that names the local backend."""
    del libraries
    servers.clear()
    async with opened(database_file.parent, servers, LLM_LOCAL_BACKEND=LOCAL) as runtime:
        yield runtime
    servers.clear()


async def _set(runtime: Runtime, order: tuple[str, ...], ceilings: Mapping[str, str]) -> None:
    chosen, *fallbacks = order
    await use(chosen, runtime)
    await runtime.admin.change(edits.set_policy(policy_request(fallbacks=fallbacks)), actor="test")
    for name, kind in KINDS.items():
        requested = Tlp(ceilings[name]) if name in ceilings else None
        if runtime.adoption.snapshot.connections[name].max_tlp.value != requested:
            body = ConnectionRequest(provider=ServingBackend(kind), max_tlp=requested)
            await runtime.admin.put_connection(name, body, actor="test")


async def _ask(label: str | None, mark: str) -> None:
    with suppress(AuroraError):
        await get_chat_model(tlp=label).run([UserMessage(mark)])


def _close_breakers(runtime: Runtime) -> None:
    """Let everyone be asked, though they have failed all the time."""
    for config in runtime.adoption.snapshot.connections.values():
        breaker = runtime.admin.ledger.breakers.to(config)
        if breaker is not None:
            breaker.answered()


def _sent(line: InLine, mark: str) -> list[str]:
    """Return who was sent a mark, and how often."""
    return sorted(
        name
        for name, server in line.all.items()
        for exchange in server.requests
        if mark.encode() in exchange.raw
    )


@pytest.mark.parametrize("ceilings", CEILINGS, ids=str)
async def test_no_fallback_sees_a_byte_above_its_ceiling(
    runtime: Runtime, servers: InLine, ceilings: Mapping[str, str]
) -> None:
    """In every order, with every label; whoever may be asked is asked, once."""
    rules = Rules(ceilings)
    for order in ORDERS:
        await _set(runtime, order, ceilings)
        for label in (None, *RANKS[1:]):
            _close_breakers(runtime)
            for server in servers.all.values():
                server.faults.set(DOWN)
            mark = new_mark()
            await _ask(label, mark)
            assert _sent(servers, mark) == sorted(rules.asked(order, label)), (order, label)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_a_ceiling_that_is_lowered_while_one_fails_holds_for_the_next(
    runtime: Runtime, servers: InLine, order: tuple[str, ...]
) -> None:
    """Each is judged when it is asked, not when the call began."""
    chosen, *fallbacks = order
    await _set(runtime, order, {})
    for server in servers.all.values():
        server.faults.set(DOWN)
    gate, mark = threading.Event(), new_mark()
    servers.all[chosen].faults.set(Fault(refusal=Refusal.SERVER_ERROR, gate=gate))
    asking = asyncio.ensure_future(_ask("GREEN", mark))
    await until(lambda: _sent(servers, mark) == [chosen])
    await _set(runtime, order, dict.fromkeys(fallbacks, "CLEAR"))
    gate.set()
    await asking
    assert _sent(servers, mark) == [chosen]


@pytest.mark.parametrize("label", [None, *RANKS[1:]])
async def test_what_is_declined_goes_to_the_local_backend_alone(
    runtime: Runtime, servers: InLine, label: str | None
) -> None:
    """However many vendors stand on the list of fallbacks."""
    await _set(runtime, ("first", "second"), {})
    locally = policy_request(on_refusal="local")
    await runtime.admin.change(edits.set_policy(locally), actor="test")
    body = b'{"error": {"code": "content_filter", "message": "filtered"}}'
    servers.first.faults.set(Fault(status=400, body=body))
    mark = new_mark()
    await _ask(label, mark)
    hosted = ["first"] if Rules({}).may_have("first", label) else []
    assert _sent(servers, mark) == [*hosted, LOCAL]

"""The label matrix of named connections: ceilings × labels × assignments × a change in mid-run.

The rule is said again here, as plainly as can be. Each call sends a mark, and each connection has
a model of its own: what the vendors recorded shows who was sent which mark. Where nobody outside
may be sent one, no connection leads there either.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import Role
from aurorasoc.errors import AuroraError
from aurorasoc.llm.changes import connection_edits, edits
from aurorasoc.llm.changes.requests import AssignmentsRequest, ConnectionRequest
from aurorasoc.llm.models.handle import LiveChatModel
from tests.component.workflows.stage import Stage, hook, new_mark, script, stage, state
from tests.examples import config_request, policy_request
from tests.world.canaries import SOAK
from tests.world.fixtures import VENDOR_KEYS, egress, hosted, local_servers, world_variables

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

ORDER: Final = ("NONE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
AUTO: Final = "auto"
NEAR: Final = ("vllm", "lab")
"""Whose address lies in the local networks."""

FAR: Final = "far"
"""A vLLM server whom only the site's proxy reaches."""

NAMED: Final[Mapping[str, str]] = {"eu": "openai", "lab": "vllm", FAR: "vllm"}
OTHER: Final = "deepseek"
"""What is switched, or assigned, to in mid-run."""

AGENT: Final = "threat-intel"


@dataclass(frozen=True)
class Cell:
    """One case.

    `ceiling` is the connection's own; with `auto`, that of what it finds.
    """

    connection: str
    ceiling: str | None
    policy: str
    local: str
    label: str | None
    assigned: str | None
    event: str

    @property
    def target(self) -> str:
        """Whose ceiling is set."""
        return "vllm" if self.connection == AUTO else self.connection

    @property
    def asker(self) -> tuple[Role, str | None]:
        """Who asks."""
        return "specialist", AGENT if self.assigned == "agent" else None


@dataclass(frozen=True)
class Rules:
    """A configuration, and where a label may go by it."""

    asked_for: str
    policy: str
    local: str
    ceilings: Mapping[str, str | None]
    removed: frozenset[str] = field(default=frozenset())

    def sends(self, name: str, label: str | None) -> bool:
        """Whether a label may be sent to a connection."""
        if name in self.removed:
            return False
        ceiling = self.ceilings.get(name)
        if label is None or ORDER.index(label) <= ORDER.index(ceiling or self.policy):
            return True
        return ceiling is None and name in NEAR

    def recipient(self, label: str | None) -> str | None:
        """Return who is sent a label by whoever asks anew; None: it is refused."""
        above = label is not None and ORDER.index(label) > ORDER.index(self.policy)
        if self.asked_for == AUTO:
            if above and self.local != AUTO:
                return self._instead(label)
            return replace(self, asked_for="vllm").recipient(label)
        if self.sends(self.asked_for, label):
            return self.asked_for
        only_if_near = self.ceilings.get(self.asked_for) is None and self.asked_for == FAR
        return None if only_if_near else self._instead(label)

    def _instead(self, label: str | None) -> str | None:
        local = "vllm" if self.local == AUTO else self.local
        return local if local in NEAR and self.sends(local, label) else None

    def after(self, cell: Cell) -> "Rules":
        """Return the rules once a cell's event has happened."""
        match cell.event:
            case "ceiling lowered":
                return replace(self, ceilings={cell.target: "NONE"})
            case "policy tightened":
                return replace(self, policy="NONE")
            case "deleted":
                ceilings = {cell.target: None}
                return replace(
                    self, asked_for=OTHER, ceilings=ceilings, removed=frozenset({cell.target})
                )
            case _:
                return replace(self, asked_for=OTHER)


def _sound(cell: Cell) -> bool:
    """Whether an admin could do it: `auto` can't be assigned, nor what is in use be deleted."""
    if cell.connection == AUTO and cell.assigned:
        return False
    if cell.event == "deleted":
        return cell.connection in NAMED and cell.connection != cell.local
    return cell.local != FAR or cell.connection != FAR


ALL: Final = [
    cell
    for cell in (
        Cell(*values)
        for values in product(
            ("openai", "vllm", *NAMED, AUTO),
            (None, "CLEAR", "AMBER", "RED"),
            ("NONE", "GREEN", "AMBER+STRICT"),
            (AUTO, "lab", FAR),
            (None, *ORDER[1:]),
            (None, "role", "agent"),
            ("switched", "ceiling lowered", "policy tightened", "deleted"),
        )
    )
    if _sound(cell)
]


def _pairs(cell: Cell) -> Iterator[object]:
    values = [(name, getattr(cell, name)) for name in cell.__dataclass_fields__]
    return combinations(values, 2)


def _covering() -> list[Cell]:
    """Return cells in which every two values that can meet do."""
    shuffled, met, chosen = ALL.copy(), set[object](), list[Cell]()
    random.Random(17).shuffle(shuffled)  # noqa: S311 - the same cells each time
    for cell in shuffled:
        new = set(_pairs(cell)) - met
        if new:
            met |= new
            chosen.append(cell)
    return chosen


CELLS: Final = random.sample(ALL, 2_000) if SOAK else _covering()


class Admin:
    """Makes a cell's changes on a stage, as an admin does."""

    def __init__(self, on: Stage) -> None:
        """Begin with what is in force there."""
        self._runtime = on.runtime
        self._admin = on.runtime.admin
        self._local = on.local

    async def put(self, name: str, **fields: Any) -> None:
        """Make a connection, or change it."""
        provider = NAMED.get(name, name)
        values = {"provider": provider, "model": f"m-{name}", **fields}
        if name in NAMED and name not in self._runtime.adoption.snapshot.connections:
            outside = {
                "base_url": "https://api.openai.com/v1",
                "api_key": VENDOR_KEYS["openai"],
            }
            values |= {"base_url": f"{self._local.url}/v1"} if name in NEAR else outside
        body = ConnectionRequest.model_validate(values)
        await self._admin.put_connection(name, body, actor="test")

    async def set_policy(self, **fields: Any) -> None:
        """Set the policy."""
        await self._admin.change(edits.set_policy(policy_request(**fields)), actor="test")

    async def assign(self, cell: Cell, connection: str | None) -> None:
        """Assign whom the cell says, or take that back."""
        its = None if connection is None else {"connection": connection}
        whose = {"role": {"roles": {"specialist": its}}, "agent": {"agents": {AGENT: its}}}
        body = AssignmentsRequest.model_validate(whose[str(cell.assigned)])
        await self._admin.change(connection_edits.assign(body), actor="test")

    async def switch(self, name: str) -> None:
        """Make a connection active as it is."""
        await self._admin.switch(config_request(name), actor="test")

    async def set_up(self, cell: Cell) -> Rules:
        """Bring a cell's configuration about."""
        for name in (OTHER, "openai", "vllm", "lab", FAR):
            present = self._runtime.adoption.snapshot.connections.get(name)
            if present is None or present.model.value != f"m-{name}":
                await self.put(name)
        await self.put(cell.target, max_tlp=cell.ceiling)
        await self.set_policy(hosted_max_tlp=cell.policy, local_backend=cell.local)
        await self.switch("openai" if cell.assigned else cell.connection)
        if cell.assigned:
            await self.assign(cell, cell.connection)
        return Rules(cell.connection, cell.policy, cell.local, {cell.target: cell.ceiling})

    async def happen(self, cell: Cell) -> None:
        """Let a cell's event happen."""
        match cell.event:
            case "ceiling lowered":
                await self.put(cell.target, max_tlp="NONE")
            case "policy tightened":
                await self.set_policy(hosted_max_tlp="NONE")
            case _:
                await (self.assign(cell, OTHER) if cell.assigned else self.switch(OTHER))
        if cell.event == "deleted":
            change = connection_edits.delete_connection(self._runtime.settings, cell.target)
            await self._admin.change(change, actor="test")

    async def tidy_up(self, cell: Cell) -> None:
        """Leave nothing of a cell to the next one."""
        if cell.assigned:
            await self.assign(cell, None)
        await self.switch(OTHER)
        if cell.target in self._runtime.adoption.snapshot.connections:
            await self.put(cell.target, max_tlp=None)


async def _ask(model: LiveChatModel | None) -> str:
    """Send a mark to a model; what refuses it, sends nothing."""
    mark = new_mark()
    try:
        if model is not None:
            await model.run([UserMessage(mark)])
    except AuroraError:
        pass
    return mark


async def _pinned(handle: LiveChatModel) -> LiveChatModel | None:
    try:
        return await handle.clone()
    except AuroraError:
        return None


def _sent(on: Stage, mark: str) -> list[str]:
    """Return the connections that were sent a mark, each by its model's name."""
    requests = (*on.hosted.requests, *on.local.requests)
    return [e.body["model"].removeprefix("m-") for e in requests if mark.encode() in e.raw]


def _check_connections(on: Stage, cell: Cell, outside: bool) -> None:  # noqa: FBT001 - a rule's answer
    """Check that whoever may be sent nothing was not even connected to, and nobody else either."""
    requests, connects, ports = on.captured_outside()
    assert on.captured_elsewhere() == set(), cell
    assert (bool(requests), bool(connects), bool(ports)) == (outside,) * 3, (cell, "connections")


async def _play(on: Stage, cell: Cell) -> None:
    """Ask before a cell's event, and after it: whoever is pinned, and whoever asks anew."""
    admin, (role, agent) = Admin(on), cell.asker
    before = await admin.set_up(cell)
    after = before.after(cell)
    await on.begin()
    await on.runtime.pool.prepare(cell.label, role, agent)
    handle = get_chat_model(role, tlp=cell.label, agent=agent)
    pinned = await _pinned(handle)
    first = await _ask(pinned)
    chosen = before.recipient(cell.label)
    assert _sent(on, first) == ([chosen] if chosen else []), (cell, "before")
    await admin.happen(cell)
    goes_on = chosen is not None and after.sends(chosen, cell.label)
    again = await _ask(pinned)
    assert _sent(on, again) == ([chosen] if goes_on else []), (cell, "pinned")
    await on.runtime.pool.prepare(cell.label, role, agent)
    anew = after.recipient(cell.label)
    assert _sent(on, await _ask(handle)) == ([anew] if anew else []), (cell, "anew")
    _check_connections(on, cell, {chosen, anew} - {None, *NEAR} != set())
    await admin.tidy_up(cell)


@pytest.mark.soak
@pytest.mark.timeout(3600 if SOAK else 900)  # a slow machine needs minutes
async def test_no_byte_goes_above_a_ceiling_and_what_may_go_arrives(stage: Stage) -> None:
    """Each pair of connection, ceilings, label, assignment, change; with `make soak`, more."""
    for cell in CELLS:
        await _play(stage, cell)

"""`aurorasoc key set|delete`, killed with SIGKILL at every step between intent and pin.

The command is a real process; the test holds it at a step, kills it, and starts another process
on what it left. Plain runs settle at once; the soak waits out the real grace, within 30 seconds.
"""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.llm.keys.vault_watch import VaultWatch
from tests.component.live import until
from tests.world.canaries import SOAK
from tests.world.forked import Forked
from tests.world.service import AURORASOC, service_env
from tests.world.vault.faults import Gate, VaultFault, VaultFaultProxy, error
from tests.world.vault.members import KEY, OTHER_KEY, House, Member, build_house, member
from tests.world.vault.server import VaultServer

TIMES: Final = 20 if SOAK else 1
PATIENCE: Final = 60.0
SETTLED_WITHIN: Final = 30.0
OPERATIONS: Final = ("set", "replace", "delete")
STEPS: Final = ("before the write", "before the answer", "before the pin")
OUTCOMES: Final = {"llm.key.set", "llm.key.deleted", "llm.key.abandoned"}

pytestmark = pytest.mark.soak


def expected_key(operation: str, step: str) -> str | None:
    """Return the key that must be in force afterwards: what Vault took, or what was before it.

    A removal goes forward whatever Vault had done of it.
    """
    if operation == "delete":
        return None
    if step == "before the write":
        return KEY if operation == "replace" else None
    return OTHER_KEY if operation == "replace" else KEY


def fault_at(house: House, operation: str, step: str, gate: Gate) -> VaultFault:
    """Hold the write before Vault gets it, or its answer after Vault has done it."""
    removes = operation == "delete"
    method = "DELETE" if removes else "POST"
    where = f"/{house.mount}/{'metadata' if removes else 'data'}/"
    if step == "before the write":  # a refusal at the gate: let go, it never gets to Vault
        refusal = error(500, "the process is gone")
        return VaultFault(method=method, where=where, gate_before=gate, answer=refusal)
    return VaultFault(method=method, where=where, gate_after=gate)


@contextmanager
def command(house: House, operation: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command as an admin does, with the key on its standard input; killed at the end."""
    name = "delete" if operation == "delete" else "set"
    key = OTHER_KEY if operation == "replace" else KEY
    process = Forked[bytes](
        [*AURORASOC, "key", name, "deepseek"],
        env=service_env(house.folder, house.env(url)),
        cwd=house.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(key.encode())
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def kill_at(house: House, proxy: VaultFaultProxy, operation: str, step: str) -> None:
    """Kill the command at a step."""
    gate = Gate()
    try:
        with (
            proxy.held(fault_at(house, operation, step, gate)),
            command(house, operation, proxy.url) as process,
        ):
            assert gate.reached.wait(PATIENCE), "the command never came to this step"
            if step == "before the pin":
                with house.stored.held_up():
                    gate.open()
                    assert gate.answered.wait(PATIENCE), "the command never read the answer"
                    process.kill()  # before the pin could be written
                    process.wait()
            process.kill()
            assert process.wait() != 0
    finally:
        gate.open()


async def acknowledged(house: House) -> None:
    """Set the key that is to be replaced or deleted."""
    async with member(house.boot()) as process:
        await process.set_key()


async def restarted(houses: list[House]) -> list[str | None]:
    """Start a process on what each killed one left, let it settle, and give the keys in force."""
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(member(house.boot())) for house in houses]
        if SOAK:
            await with_the_real_grace(houses, members)
        for process in members:
            await process.watch.settle()
            await process.watch.poll()
            await process.adoption.adopt()  # a watch that ended between commit and adoption
        return [process.key for process in members]


async def with_the_real_grace(houses: list[House], members: list[Member]) -> None:
    """Run the watches as a service does, until nothing is open."""
    watches = [VaultWatch(process.store, process.intents, poll_interval=1) for process in members]
    running = [asyncio.create_task(watch.run()) for watch in watches]
    try:
        await until(lambda: not any(house.intents() for house in houses), SETTLED_WITHIN)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_killed_change_leaves_one_truth(
    shared_vault: VaultServer,
    proxy: VaultFaultProxy,
    tmp_path: Path,
    operation: str,
    step: str,
) -> None:
    """No acknowledged key is lost, no change is unaudited, nothing is open, and all agree."""
    houses = []
    for number in range(TIMES):
        house = build_house(tmp_path / str(number), shared_vault)
        if operation != "set":
            asyncio.run(acknowledged(house))
        kill_at(house, proxy, operation, step)
        assert len(house.intents()) == 1
        houses.append(house)
    assert asyncio.run(restarted(houses)) == [expected_key(operation, step)] * TIMES
    for house in houses:
        house.check_one_truth()
        actions = house.actions()
        ended = [action for action in actions if action in OUTCOMES]
        assert actions.count("llm.key.intended") == len(ended) == len(actions) - len(ended)

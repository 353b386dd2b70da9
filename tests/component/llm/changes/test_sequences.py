"""Whatever is changed, in whatever order: no key astray, no label above a ceiling, nobody left."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import AUTO, Tlp
from aurorasoc.errors import AuroraError, BackendUnavailable, TlpRefused
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.explain import explain
from aurorasoc.granite.sensitivity import route
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.requests import AssignmentsRequest, ConnectionRequest
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import (
    API_KEY,
    OTHER_API_KEY,
    OTHER_SEED,
    SEED,
    config_request,
    policy_request,
    settings,
)
from tests.world.canaries import SOAK

ONE: Final = "http://127.0.0.1:18001"
TWO: Final = "http://127.0.0.1:18002"
BUILT_IN: Final = ("deepseek", "vllm", "openai")
DECLARED: Final = "gpu"
"""Only some environments know it."""

NAMED: Final = ("azure", "lab", DECLARED)
AGENT: Final = "threat-intel"
ASKERS: Final = tuple(product(("specialist", "orchestrator"), (None, AGENT)))
LABELS: Final = (None, *(label for label in Tlp if label is not Tlp.NONE))
CEILINGS: Final = (None, *(str(label) for label in Tlp))

any_name = st.sampled_from((*BUILT_IN, *NAMED))
kinds = st.sampled_from(("vllm", "openai"))
base_urls = st.sampled_from((None, ONE, f"{ONE}/path", TWO))
keys = st.sampled_from((API_KEY, OTHER_API_KEY))
ceilings = st.sampled_from(CEILINGS)
locals_ = st.sampled_from((None, AUTO, "vllm", *NAMED))


def step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Draw a step's arguments."""
    return st.tuples(st.just(name), *arguments)


steps = st.one_of(
    step("set_key", any_name, keys),
    step("delete_key", any_name),
    step("switch", st.sampled_from((*BUILT_IN, *NAMED, AUTO))),
    step("move", any_name, base_urls),
    step("move_with_key", any_name, base_urls, keys),
    step("make", st.sampled_from(NAMED), kinds, base_urls),
    step("make_with_key", st.sampled_from(NAMED), kinds, base_urls, keys),
    step("set_ceiling", any_name, ceilings),
    step("delete", st.sampled_from(NAMED)),
    step("assign", st.sampled_from(("specialist", "orchestrator", AGENT)), any_name),
    step("unassign", st.sampled_from(("specialist", "orchestrator", AGENT))),
    step("policy", ceilings, locals_),
    step("reset"),
    step("rollback", st.integers(1, 9)),
    step(
        "restart", base_urls, st.booleans(), st.sampled_from((SEED, OTHER_SEED)), st.none() | kinds
    ),
)

Entered = dict[tuple[str, str], set[str]]
"""For which origins each connection's keys were entered."""


async def take(runtime: Runtime, name: str, *arguments: Any) -> None:
    """Take a step as an admin does."""
    admin = runtime.admin
    match name, arguments:
        case "switch", (connection,):
            await admin.switch(config_request(connection), actor="alice")
        case "move" | "move_with_key", (connection, base_url, *key):
            fields = {"api_key": SecretStr(*key)} if key else {}
            requested = config_request(connection, base_url=base_url, **fields)
            await admin.switch(requested, actor="alice")
        case "make" | "make_with_key", (connection, kind, base_url, *key):
            fields = {"api_key": SecretStr(*key)} if key else {}
            await put(runtime, connection, provider=kind, base_url=base_url, model="m", **fields)
        case "set_ceiling", (connection, ceiling):
            present = runtime.adoption.snapshot.connections.get(connection)
            kind = present.provider if present else "vllm"
            await put(runtime, connection, provider=kind, max_tlp=ceiling)
        case "rollback", (revision,):
            await admin.rollback(revision, actor="alice")
        case _:
            await admin.change(change_of(runtime, name, *arguments), actor="alice")


def change_of(runtime: Runtime, name: str, *arguments: Any) -> Change:
    """Return the change of a step that is one."""
    match name, arguments:
        case "set_key", (connection, key):
            return key_edits.set_key(connection, SecretStr(key))
        case "delete_key", (connection,):
            return key_edits.delete_key(connection)
        case "delete", (connection,):
            return connection_edits.delete_connection(runtime.settings, connection)
        case "policy", (ceiling, local):
            return edits.set_policy(policy_request(hosted_max_tlp=ceiling, local_backend=local))
        case "assign" | "unassign", (who, *connection):
            whose = "agents" if who == AGENT else "roles"
            its = {"connection": connection[0]} if connection else None
            return connection_edits.assign(AssignmentsRequest.model_validate({whose: {who: its}}))
        case _:
            return edits.reset()


async def put(runtime: Runtime, name: str, **fields: Any) -> None:
    """Make a connection, or change it, by the rules of REST."""
    body = ConnectionRequest.model_validate(fields)
    await runtime.admin.put_connection(name, body, actor="alice")


def environment(
    base_url: str | None,
    with_key: bool,  # noqa: FBT001 - drawn
    seed: str,
    declares: str | None,
) -> dict[str, str]:
    """Return the environment that a restart changes to."""
    variables = {"AURORA_SECRET_KEY": seed}
    prefixes = ["LLM_DEEPSEEK_", "LLM_VLLM_", "LLM_OPENAI_COMPATIBLE_"]
    if declares is not None:
        prefixes.append("LLM_CONNECTION_GPU_")
        variables["LLM_CONNECTION_GPU_PROVIDER"] = declares
    for prefix in prefixes:
        if base_url is not None:
            variables[f"{prefix}BASE_URL"] = base_url
        if with_key:
            variables[f"{prefix}API_KEY"] = f"sk-env-{seed[:8]}"
    return variables


def check_keys(snapshot: Snapshot, entered: Entered) -> None:
    """Hold every key in force against where it was entered for."""
    for name, config in snapshot.connections.items():
        key = config.credential.api_key
        if key is None:
            continue
        assert config.credential.origin == config.origin
        if config.credential.source == "database":
            assert config.origin in entered[name, key.get_secret_value()]


def check_routes(snapshot: Snapshot) -> None:
    """Route every label for everybody: nobody's goes above a ceiling, and nobody lacks a way."""
    for label, (role, agent) in product(LABELS, ASKERS):
        try:
            chosen = route(snapshot, label, role, agent)  # type: ignore[arg-type]  # drawn
        except (BackendUnavailable, TlpRefused):
            assert label is not None or snapshot.requested.value == AUTO
            continue
        config = snapshot.connections[chosen.connection]
        assert label is None or may_have(snapshot, config, label, restricted=chosen.restricted)
        explained = explain(snapshot, label, role, agent)  # type: ignore[arg-type]  # drawn
        assert explained.answers == chosen.connection


def may_have(snapshot: Snapshot, config: ConnectionConfig, label: Tlp, *, restricted: bool) -> bool:
    """Whether a connection may have a label; `restricted`: only while it is local, which it is."""
    order = list(Tlp)
    ceiling = config.max_tlp.value or snapshot.policy.hosted_max_tlp.value
    if order.index(label) <= order.index(ceiling):
        return True
    unbounded = config.max_tlp.value is None and CATALOG[config.provider].may_be_local
    return unbounded and restricted


def check_uses(snapshot: Snapshot) -> None:
    """Nobody uses a connection that isn't there, but for one that an environment took away."""
    used = {snapshot.requested.value, snapshot.policy.local_backend.value} - {AUTO}
    used |= snapshot.assignments.connections
    assert used - {DECLARED} <= snapshot.connections.keys()


async def live(file: Path, taken: list[tuple[Any, ...]]) -> None:
    """Go through the steps, looking at the snapshot after each."""
    entered: Entered = {}
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(running(file))
        for name, *arguments in taken:
            if name == "restart":
                await stack.aclose()
                variables = environment(*arguments)
                runtime = await stack.enter_async_context(running(file, **variables))
            else:
                try:
                    await take(runtime, name, *arguments)
                except AuroraError:
                    continue
            in_force = runtime.adoption.snapshot
            note(entered, in_force, name, *arguments)
            check_keys(in_force, entered)
            check_routes(in_force)
            check_uses(in_force)
            assert await runtime.adoption.adopt() == in_force


def note(entered: Entered, snapshot: Snapshot, name: str, *arguments: Any) -> None:
    """Note where a key was entered for; those of a connection that is removed are gone."""
    if name.endswith("_key") and name != "delete_key":
        origin = snapshot.connections[arguments[0]].origin
        entered.setdefault((arguments[0], arguments[-1]), set()).add(str(origin))
    if name == "delete":
        for known in [known for known in entered if known[0] == arguments[0]]:
            del entered[known]


def running(file: Path, /, **variables: str) -> Any:  # noqa: ANN401 - a context manager
    """Open a runtime on a migrated file, in an environment of its own."""
    common = {"AURORA_SECRET_KEY": SEED, "AURORA_ALLOWED_HOSTS": "127.0.0.1"}
    return open_runtime(settings(file.parent, **(common | variables)))


@pytest.mark.soak
@given(st.lists(steps, min_size=6, max_size=20))
@hypothesis_settings(
    max_examples=400 if SOAK else 12,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),  # to shrink a failure would take minutes
)
def test_no_sequence_of_changes_sends_a_key_or_a_label_astray(
    migrated_file: Path, taken: list[tuple[Any, ...]]
) -> None:
    """Whatever is made, moved, assigned, removed, reset, rolled back, restarted elsewhere.

    After every step a key in force belongs to the effective origin, and a stored one was entered
    for it; no label is routed above a ceiling; nobody uses what isn't there; and what is in force
    is what a restart would read.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(shutil.copy(migrated_file, folder))
        asyncio.run(live(file, taken))


KEPT: Final = {
    "the same address": ("vllm", ONE, "usable"),
    "another address": ("vllm", TWO, "needs_reentry"),
    "the same address of another provider": ("openai", ONE, "usable"),
}


@pytest.mark.parametrize("made", KEPT)
async def test_a_key_that_its_environment_left_behind_stays_with_its_origin(
    database_file: Path, made: str
) -> None:
    """A connection is made under the name of one that was declared: all processes see the same."""
    kind, base_url, state = KEPT[made]
    declared = environment(ONE, with_key=False, seed=SEED, declares="vllm")
    async with running(database_file, **declared) as runtime:
        await take(runtime, "set_key", DECLARED, API_KEY)
    async with running(database_file) as runtime:
        await take(runtime, "make", DECLARED, kind, base_url)
        in_force = runtime.adoption.snapshot
        assert in_force.connections[DECLARED].credential.state == state
        assert await runtime.adoption.adopt() == in_force

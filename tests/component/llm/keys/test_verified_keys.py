"""A key that is tested before it replaces the one in force."""

from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.snapshot import Credential
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.secret_store import last4_of
from aurorasoc.errors import AuthFailed, RevisionMismatch
from aurorasoc.llm.changes import key_edits
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World
from tests.world.vendor import Fault, Refusal

ANTHROPIC: Final = ServingBackend.ANTHROPIC
GOOD: Final = KEYS["anthropic"]
OLD: Final = "sk-ant-old-0123456789abcdef"
WRONG: Final = "sk-ant-wrong-0123456789abcd"


def _credential(runtime: Runtime) -> Credential:
    return runtime.adoption.snapshot.connections[ANTHROPIC].credential


async def _set_key(
    runtime: Runtime, key: str, *, verify: bool, if_match: int | None = None
) -> MutationAnswer:
    change = key_edits.set_key("anthropic", SecretStr(key))
    return await runtime.admin.change(change, actor="alice", verify=verify, if_match=if_match)


async def test_key_that_passes_its_test_is_stored(world: World, runtime: Runtime) -> None:
    """The test used the new key, though another was in force."""
    await _set_key(runtime, OLD, verify=False)
    answer = await _set_key(runtime, GOOD, verify=True)
    assert answer.provider is not None
    assert answer.provider.key_last4 == last4_of(SecretStr(GOOD))
    assert GOOD in repr(world.keyed.requests[0].headers)


async def test_key_that_fails_its_test_changes_nothing(world: World, runtime: Runtime) -> None:
    """Neither the key in force nor the revision; the answer has the test's code."""
    before = await _set_key(runtime, OLD, verify=False)
    held = _credential(runtime)
    with pytest.raises(AuthFailed):
        await _set_key(runtime, WRONG, verify=True)
    assert _credential(runtime) is held
    assert runtime.adoption.snapshot.revision == before.revision
    assert (await runtime.adoption.adopt()).connections[ANTHROPIC].credential == held
    assert world.keyed.requests


async def test_key_that_fails_its_test_leaves_no_trace_of_itself(
    world: World, runtime: Runtime
) -> None:
    """A provider that had no key has none afterwards."""
    world.keyed.faults.set(Fault(refusal=Refusal.BAD_KEY))
    with pytest.raises(AuthFailed):
        await _set_key(runtime, GOOD, verify=True)
    assert (await runtime.adoption.adopt()).connections[ANTHROPIC].credential.state == "absent"


async def test_stale_if_match_is_refused_before_the_key_is_sent(
    world: World, runtime: Runtime
) -> None:
    """This test could not lead anywhere."""
    with pytest.raises(RevisionMismatch):
        await _set_key(runtime, GOOD, verify=True, if_match=7)
    assert world.keyed.requests == []


async def test_untested_key_needs_no_answer(world: World, runtime: Runtime) -> None:
    """Without `verify` nothing is sent: the vendor may be down."""
    await _set_key(runtime, WRONG, verify=False)
    assert world.keyed.requests == []

"""Whether a connection answers, as its calls and tests show it."""

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.errors import ModelCallError
from aurorasoc.llm.models.health import Health
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.examples import config_request
from tests.world.vendor import Fault, Refusal


async def health(runtime: Runtime, name: str = "deepseek") -> Health:
    """Return a connection's health, as the inventory shows it."""
    rows = (await runtime.admin.inventory()).providers
    (shown,) = (row.health for row in rows if row.connection == name)
    return shown


async def ask() -> None:
    """Make one production call."""
    await get_chat_model().run([UserMessage("ping")])


async def test_what_was_never_called_is_unknown_however_ready(runtime: Runtime) -> None:
    """Configured isn't answering."""
    assert (await health(runtime)).state == "unknown"


async def test_a_call_shows_that_it_answers(runtime: Runtime) -> None:
    """With since when."""
    await ask()
    shown = await health(runtime)
    assert (shown.state, shown.code, shown.since is not None) == ("ok", None, True)


@pytest.mark.parametrize("refusal", [Refusal.BAD_KEY, Refusal.OVERLOADED])
async def test_a_failure_shows_with_its_code(
    world: World, runtime: Runtime, refusal: Refusal
) -> None:
    """And ends with the next answer."""
    world.server("deepseek").faults.set(Fault(refusal=refusal))
    with pytest.raises(ModelCallError) as failure:
        await ask()
    shown = await health(runtime)
    assert (shown.state, shown.code) == ("failing", failure.value.code)
    world.clear()
    await ask()
    assert (await health(runtime)).state == "ok"


async def test_another_model_starts_anew(runtime: Runtime) -> None:
    """What the old one did says nothing of it."""
    await ask()
    await runtime.admin.switch(config_request("deepseek", model="another"), actor="test")
    assert (await health(runtime)).state == "unknown"


async def test_a_verified_switch_is_known_to_answer(runtime: Runtime) -> None:
    """The test that it passed was made with its address, model and key."""
    requested = config_request("deepseek", model="another")
    await runtime.admin.switch(requested, actor="test", verify=True)
    assert (await health(runtime)).state == "ok"


async def test_a_test_shows_in_the_health(runtime: Runtime) -> None:
    """Active or not."""
    await runtime.admin.test("ollama", role="specialist", actor="test")
    assert (await health(runtime, "ollama")).state == "ok"
    assert (await health(runtime)).state == "unknown"

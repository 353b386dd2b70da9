"""A structured question is answered, repaired once, or failed in our words."""

import json
from collections.abc import Iterator

import pytest

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.errors import AuthFailed, BadResponse
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation.fence import fence_for
from aurorasoc.workflows.investigation.schemas import Examination
from aurorasoc.workflows.investigation.structured import Question
from tests.component.live import World, use
from tests.world.investigation import Script
from tests.world.vendor import Fault, Refusal
from tests.world.vendor import Question as Asked

GOOD = '{"findings": [{"title": "a", "evidence": "b"}], "techniques": []}'


class Answers:
    """Says one thing after the other, and notes what it was asked."""

    def __init__(self, *answers: str) -> None:
        """Prepare the answers."""
        self._answers = iter(answers)
        self.prompts: list[str] = []

    def __call__(self, question: Asked) -> str:
        """Return the next one, as `VendorServer.wording`."""
        self.prompts.append(question.prompt)
        return next(self._answers)


def completion(text: str, finish: str) -> Fault:
    """Answer a whole completion that says just this."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
    }
    return Fault(status=200, body=json.dumps(body).encode())


@pytest.fixture(autouse=True)
def _wording(world: World) -> Iterator[None]:
    before = world.keyed.wording
    yield
    world.keyed.wording = before


async def bound(runtime: Runtime) -> Question[Examination]:
    """Bind a question to the threat hunter's model."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    return await Question.bind(agent, Examination, fence_for([]))


async def test_an_answer_that_fits_is_given_with_who_gave_it(
    world: World, runtime: Runtime
) -> None:
    """Provider, model, revision and tokens."""
    await use("openai", runtime)
    world.keyed.wording = Answers(GOOD)
    answered = await (await bound(runtime)).ask("?")
    assert answered.value.findings[0].title == "a"
    who = answered.provenance
    assert (who.provider, who.model, who.revision) == ("openai", "gpt-4o", 1)
    assert answered.usage is not None
    assert answered.usage["prompt_tokens"] == 7


async def test_the_wanted_form_is_sent_and_no_tool(world: World, runtime: Runtime) -> None:
    """The vendor's own structured output holds the answer, where it has one."""
    await use("openai", runtime)
    script = Script()
    world.keyed.wording = script
    await (await bound(runtime)).ask("?")
    (asked,) = script.asked
    assert asked.schema is not None
    assert set(asked.schema["properties"]) == {"findings", "techniques"}
    assert asked.tools == []


async def test_no_bound_is_set_on_the_answer(world: World, runtime: Runtime) -> None:
    """A bound of 4,096 tokens is more than a small window takes, prompt included."""
    await use("openai", runtime)
    world.keyed.wording = Answers(GOOD)
    await (await bound(runtime)).ask("?")
    (exchange,) = world.keyed.requests
    assert exchange.body.keys() == {"model", "messages", "response_format"}


@pytest.mark.parametrize(
    "bad",
    ['{"findings": []}', '{"findings": [{"title": "cut', "{not json}", '{"techniques": ["T1"]}'],
)
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    world: World, runtime: Runtime, bad: str
) -> None:
    """The repair says what is wrong, and counts."""
    await use("openai", runtime)
    said = Answers(bad, GOOD)
    world.keyed.wording = said
    answered = await (await bound(runtime)).ask("The question")
    assert answered.value.findings[0].evidence == "b"
    assert said.prompts[1].startswith("The question\n\nAn earlier answer can't be used.")
    assert answered.usage is not None
    assert answered.usage["prompt_tokens"] == 14


async def test_a_repair_repeats_nothing_of_the_bad_answer(world: World, runtime: Runtime) -> None:
    """What a model said is no instruction to it."""
    await use("openai", runtime)
    said = Answers('{"findings": "CANARY", "CANARY": 1, "techniques": "CANARY"}', GOOD)
    world.keyed.wording = said
    await (await bound(runtime)).ask("?")
    assert "findings" in said.prompts[1]
    assert "CANARY" not in said.prompts[1]


async def test_a_second_bad_answer_is_a_clear_failure(world: World, runtime: Runtime) -> None:
    """Which model, and what was wrong; there is no third try."""
    await use("openai", runtime)
    said = Answers('{"findings": []}', '{"findings": []}')
    world.keyed.wording = said
    with pytest.raises(BadResponse, match=r"gpt-4o of openai answered twice.*findings"):
        await (await bound(runtime)).ask("?")
    assert len(said.prompts) == 2


async def test_an_answer_that_was_cut_off_is_refused_though_it_parses(
    world: World, runtime: Runtime
) -> None:
    """`finish_reason: length` wins over whatever could be made of the text."""
    await use("openai", runtime)
    world.keyed.faults.set(completion(GOOD, "length"))
    with pytest.raises(BadResponse, match="cut off"):
        await (await bound(runtime)).ask("?")
    assert len(world.keyed.requests) == 2


async def test_an_empty_answer_is_asked_for_once_more(world: World, runtime: Runtime) -> None:
    """As a thinking model gives when it is cut short."""
    await use("openai", runtime)
    world.keyed.wording = Answers(GOOD, GOOD)
    world.keyed.faults.set(Fault(empty_content=True, times=1))
    assert (await (await bound(runtime)).ask("?")).value.findings


@pytest.mark.parametrize("around", ["```json\n{}\n```", "<think>hm</think>{}", "Here it is: {} !"])
async def test_words_around_the_object_do_no_harm(
    world: World, runtime: Runtime, around: str
) -> None:
    """Where no grammar holds a model it says more."""
    await use("openai", runtime)
    world.keyed.faults.set(completion(around.replace("{}", GOOD), "stop"))
    assert (await (await bound(runtime)).ask("?")).value.findings[0].title == "a"


async def test_a_vendor_without_schemas_is_told_the_schema(world: World, runtime: Runtime) -> None:
    """DeepSeek takes "some JSON" only; the wanted form stands in the prompt."""
    world.keyed.wording = Answers(GOOD)
    assert (await (await bound(runtime)).ask("?")).value.findings
    (exchange,) = world.keyed.requests
    assert exchange.body["response_format"] == {"type": "json_object"}


async def test_a_question_stays_with_its_model(world: World, runtime: Runtime) -> None:
    """A switch before the repair doesn't move it."""
    await use("openai", runtime)
    question = await bound(runtime)
    await use("ollama", runtime)
    world.keyed.wording = Answers('{"findings": []}', GOOD)
    assert (await question.ask("?")).provenance.provider == "openai"
    assert world.ollama.requests == []


async def test_a_refused_key_is_not_repaired(world: World, runtime: Runtime) -> None:
    """A second try would change nothing."""
    await use("openai", runtime)
    world.keyed.faults.set(Fault(refusal=Refusal.BAD_KEY))
    with pytest.raises(AuthFailed):
        await (await bound(runtime)).ask("?")
    assert len(world.keyed.requests) == 1

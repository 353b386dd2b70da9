"""The table: every way in which an answer ends, at every provider."""

from typing import Final, NamedTuple

from tests.component.wire.endings.deepseek import DEEPSEEK
from tests.component.wire.endings.generate_content import GEMINI
from tests.component.wire.endings.kinds import Case, Form, Never, Rows
from tests.component.wire.endings.local import OLLAMA, VLLM
from tests.component.wire.endings.messages import ANTHROPIC
from tests.component.wire.endings.openai import OPENAI
from tests.component.wire.endings.responses import RESPONSES
from tests.component.wire.table import TABLE

RESPONSES_MODEL: Final = "gpt-5-codex"


class Place(NamedTuple):
    """Where answers end in the same ways: a provider, or one format of it."""

    provider: str
    model: str
    rows: Rows


PLACES: Final = {
    "ollama": Place("ollama", TABLE["ollama"].model, OLLAMA),
    "vllm": Place("vllm", TABLE["vllm"].model, VLLM),
    "openai": Place("openai", TABLE["openai"].model, OPENAI),
    "openai-responses": Place("openai", RESPONSES_MODEL, RESPONSES),
    "deepseek": Place("deepseek", TABLE["deepseek"].model, DEEPSEEK),
    "gemini": Place("gemini", TABLE["gemini"].model, GEMINI),
    "anthropic": Place("anthropic", TABLE["anthropic"].model, ANTHROPIC),
}


class Cell(NamedTuple):
    """One call to make: at which place, in which form, and how it ends there."""

    place: str
    form: Form
    case: Case


CELLS: Final = {
    f"{name}-{form}-{row.ending}-{row.name}": Cell(name, form, row)
    for name, place in PLACES.items()
    for row in place.rows
    if isinstance(row, Case)
    for form in row.replies
}
NEVER: Final = [
    (name, row) for name, place in PLACES.items() for row in place.rows if isinstance(row, Never)
]

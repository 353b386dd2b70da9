"""A cut prompt is told by its count; a server that doesn't count isn't accused."""

import hashlib
from typing import Any, Final

import pytest

from aurorasoc.errors import ContextTruncated
from aurorasoc.llm.wire.answers.truncation import LEAST_COUNTED, require_whole_prompt
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asking.request import ModelRequest
from aurorasoc.llm.wire.windows.known import ContextWindow, is_known, keep_window
from tests.examples import reference
from tests.world.small_window import tokens_of

HASHES: Final = " ".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(100))
SENTENCES: Final = "The instructions stood here, before the server cut them. " * 500
ASKED: Final = reference()


def messages(text: str) -> list[dict[str, Any]]:
    """Return a conversation that ends with a text, in both shapes of a content."""
    return [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": text},
    ]


def check(text: str, counted: int | None) -> None:
    """Check what a provider counted for a text."""
    usage = None if counted is None else Usage(counted, 9, counted + 9)
    require_whole_prompt(ModelRequest(ASKED, messages(text), {}, stream=False), usage)


@pytest.mark.parametrize("text", [HASHES, SENTENCES], ids=["hashes", "sentences"])
def test_half_a_window_of_a_long_prompt_is_a_cut(text: str) -> None:
    """What Ollama counts with its default window of 4,096."""
    with pytest.raises(ContextTruncated) as caught:
        check(text, 2050)
    assert "2050 tokens" in caught.value.detail
    assert text[:20] not in caught.value.detail


@pytest.mark.parametrize("text", [HASHES, SENTENCES, "ping"], ids=["hashes", "sentences", "ping"])
def test_a_whole_prompt_passes(text: str) -> None:
    """A count that a tokenizer makes of it."""
    check(text, len(tokens_of(text)))


def test_a_prompt_that_fills_the_window_is_a_cut() -> None:
    """As servers cut that keep as much as the window holds; the window is asked for anew then."""
    keep_window(ASKED, ContextWindow(4096, "server"))
    check(HASHES, 4094)
    with pytest.raises(ContextTruncated):
        check(HASHES, 4096)
    assert not is_known(ASKED)


@pytest.mark.parametrize("counted", [None, 0, 7, LEAST_COUNTED - 1])
def test_a_server_that_does_not_count_is_not_accused(counted: int | None) -> None:
    """No count, or one that is smaller than any window."""
    check(SENTENCES, counted)

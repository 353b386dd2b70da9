"""What a text costs at least and at most holds for tokenizers of today."""

import base64
import hashlib
import json
import random
import string
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

import pytest

from aurorasoc.llm.wire.windows.token_bounds import fewest_tokens, most_tokens, tokens_of_sentences

Count = Callable[[str], int]


def _random(alphabet: str, size: int) -> str:
    chosen = random.Random(7)  # noqa: S311 - no secret
    return "".join(chosen.choice(alphabet) for _ in range(size))


def _words(alphabet: str) -> str:
    return " ".join(_random(alphabet, size) for size in range(2, 24))


def _hashes() -> list[str]:
    return [hashlib.sha256(bytes([number])).hexdigest() for number in range(50)]


TEXTS: Final = {
    "hashes": " ".join(_hashes()),
    "hashes in JSON": json.dumps({"hashes": _hashes()}),
    "base64": base64.b64encode(_random(string.printable, 2000).encode()).decode(),
    "digits": _random(string.digits, 2000),
    "punctuation": _random(string.punctuation, 2000),
    "random words": _words(string.ascii_lowercase),
    "consonants": _words("bcdfghjklmnpqrstvwxz"),
    "capitals": _words(string.ascii_uppercase),
    "camel case": "getElementById ParentProcessGuid CommandLine " * 20,
    "snake case": "dest_ip_address_of_host _x_ a_b_1 " * 20,
    "Chinese": "安全事件调查报告" * 50,
    "Russian": "Расследование инцидента безопасности " * 20,
    "emoji": "\N{SKULL}\N{FIRE}" * 50,
    "rules": "=" * 300 + "\n" + "-" * 300 + " " * 300 + "\n" * 100,
    "contractions": "it's he'll don't we're I'd " * 30,
    "sentences": "The rule stands behind the evidence as well as before it, so a cut shows. " * 20,
}


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Count]:
    """Return the two that litellm brings along: OpenAI's cl100k_base, and Anthropic's old one."""
    from tiktoken.core import Encoding  # noqa: PLC0415 - brings a native library
    from tiktoken_ext.openai_public import (  # type: ignore[import-untyped]  # noqa: PLC0415 - the same
        cl100k_base,
    )
    from tokenizers import Tokenizer  # noqa: PLC0415 - the same

    folder = files("litellm") / "litellm_core_utils" / "tokenizers"
    anthropic = Tokenizer.from_str((folder / "anthropic_tokenizer.json").read_text())
    openai = Encoding(**_bundled(cl100k_base, str(folder)))
    return {
        "cl100k_base": lambda text: len(openai.encode(text, disallowed_special=())),
        "anthropic": lambda text: len(anthropic.encode(text).ids),
    }


def _bundled(load: Callable[[], dict[str, Any]], folder: str) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", folder)  # else it is fetched
        return load()


@pytest.mark.parametrize("name", TEXTS)
def test_no_tokenizer_goes_beyond_the_bounds(tokenizers: dict[str, Count], name: str) -> None:
    """Dense text included: a hash costs nearly a token a character."""
    text = TEXTS[name]
    for tokenizer, count in tokenizers.items():
        assert fewest_tokens([text]) <= count(text) <= most_tokens(text), tokenizer


def test_our_sentences_cost_less_than_their_bound(tokenizers: dict[str, Count]) -> None:
    """Three characters a token is more than any tokenizer needs for English."""
    text = TEXTS["sentences"]
    assert all(count(text) <= tokens_of_sentences(text) for count in tokenizers.values())


def test_lone_surrogates_are_counted() -> None:
    """A text that no UTF-8 can hold costs tokens, too."""
    assert most_tokens("\ud800") == 3


@pytest.mark.parametrize("text", ["_" * 100_000 + "a", "a" * 100_000 + "B", "aB" * 50_000])
def test_a_long_text_is_bounded_in_linear_time(text: str) -> None:
    """Whoever wrote it, the loop goes on; squared, this would take minutes."""
    began = time.process_time()
    assert fewest_tokens([text]) <= most_tokens(text)
    assert time.process_time() - began < 5

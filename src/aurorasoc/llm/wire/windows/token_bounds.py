"""How many tokens a text costs at least and at most, whatever the tokenizer.

No tokenizer is asked: each model has its own, and Ollama offers none. What holds for all that
models use today (byte-level BPE, and SentencePiece with byte fallback): a token covers at least
one byte, and never spans two runs of letters or digits, but for `it's` and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase
from typing import Final

_PIECES: Final = re.compile(r"(?P<run> ?[A-Za-z0-9]+)|[^A-Za-z0-9 ]+| ")
_DIGIT: Final = re.compile("[0-9]")
_RUNS: Final = re.compile(
    r"[^\W\d_]+(?:'[a-z]{1,2}\b)?|\d+"
    r"|[^\w\s]{2,}|[^\w\s](?=[\d\s]|$)|(?<!_)_++(?=[\d\W]|$)"
)
"""Each begins where the one before ended: no text takes time squared, whoever wrote it."""

_PER_TEN_LETTERS: Final = 7
_CHARACTERS_PER_TOKEN: Final = 3
"""Of English sentences: four in large vocabularies, three and a half in small ones."""


def most_tokens(text: str) -> int:
    """Return a bound that no tokenizer exceeds for what alerts hold.

    A byte costs one token: hashes, numbers, base64 and foreign scripts come close to that. A run
    of letters in one case costs 0.7 a letter, which even random consonants don't reach (0.64,
    measured on four vocabularies); the space before it costs nothing.
    """
    return sum(_most(match) for match in _PIECES.finditer(text))


def tokens_of_sentences(text: str) -> int:
    """Return a bound for our own plain English, which needs no wider one."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def fewest_tokens(texts: Iterable[str]) -> int:
    """Return how many tokens the texts cost at least: one for each run of letters or digits.

    Punctuation counts where a tokenizer can't join it to the letters behind it.
    """
    return sum(sum(1 for _ in _RUNS.finditer(text)) for text in texts)


def _most(match: re.Match[str]) -> int:
    piece = match[0]
    if match["run"] is None:
        return len(piece.encode("utf-8", "surrogatepass"))
    run = piece.lstrip(" ")
    word = _last_word(run)
    if not word:
        return len(piece)
    cost = -(-_PER_TEN_LETTERS * word // 10)
    return cost if word == len(run) else len(piece) - word + cost


def _last_word(run: str) -> int:
    """Return the length of the last letters in one case, perhaps capitalised; 0 with digits."""
    if _DIGIT.search(run):
        return 0
    before = run.rstrip(ascii_lowercase)
    if len(before) == len(run):
        return len(run) - len(run.rstrip(ascii_uppercase))
    return len(run) - len(before) + bool(before)

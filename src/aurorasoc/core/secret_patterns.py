"""Recognise text that looks like a secret, for values that are stored in the clear.

A guess, in both directions: it knows vendors' prefixes and the look of random text. What must stay
secret has a place of its own, the secret store.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from aurorasoc.core.redaction import Redactor

_PREFIXES: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"aur_|sk-|rk-|pk-|key-|AIza|ya29\.|gsk_|csk-|hf_|xai-|pplx-|nvapi-|tgp_|fw_|r8_|ABSK"  # models
    r"|gh[pousr]_|github_pat_|glpat-|npm_|pypi-|dop_v1_|SG\.|xox[a-z]-|sk_live_|rk_live_"
    r"|(?:AKIA|ASIA)[0-9A-Z]{8}|hv[bsr]\.|eyJ[A-Za-z0-9_-]{8}"
    r")|-----BEGIN |(?i:accountkey=|[?&;]sig=|://[^/\s:@]*:[^/\s@]+@|\bbasic\s+\S)"
)
"""Our machine clients' secrets, keys of model vendors and platforms, JWTs, and keys inside URLs and
connection strings."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_~=-]{24,}")
_RUN: Final = re.compile(r"[A-Za-z0-9]{16,}")
_IDENTIFIER: Final = re.compile(r"(?:org-|proj_)[A-Za-z0-9]{1,64}")
"""OpenAI's ids of organizations and projects: its headers name them, and they open nothing."""

_CHANGES: Final = 0.38
"""Share of characters that are of another kind than the one before: 0.62 in random text of
letters and digits, about 0.35 in words in capitals."""

_PATTERNS: Final = Redactor()


def looks_secret(text: str) -> bool:
    """Return whether a text holds what looks like a key, a token or a password in a URL."""
    if _IDENTIFIER.fullmatch(text):
        return False
    if _PREFIXES.search(text) or _PATTERNS.text(text) != text:
        return True
    return _is_random(text)


def names_a_key(name: str) -> bool:
    """Return whether what was entered as a name is a key: it looks like one, and holds a digit.

    Words have prefixes such as `key-`, too.
    """
    return looks_secret(name) and any(map(str.isdigit, name))


def is_a_vendors_key(text: str) -> bool:
    """Return whether what was entered as a model is a key: a vendor's prefix, then random text.

    Models' names hold random text themselves, so that alone says nothing.
    """
    return _PREFIXES.match(text) is not None and _is_random(text)


def _is_random(text: str) -> bool:
    return any(map(_mixed, _RUN.findall(text))) or any(map(_random, _TOKEN.findall(text)))


def _mixed(run: str) -> bool:
    """Whether letters and digits stand together at a length that no word has."""
    return not run.isalpha() and not run.isdigit()


def _random(token: str) -> bool:
    """Whether a token mixes capitals, small letters and digits as random text does."""
    kinds = [_kind(character) for character in token if character.isalnum()]
    changes = sum(first != second for first, second in pairwise(kinds))
    return {"upper", "lower"} <= set(kinds) and changes >= _CHANGES * len(kinds)


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    return "upper" if character.isupper() else "lower"

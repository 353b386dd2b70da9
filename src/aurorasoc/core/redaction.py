"""Redact keys, in every common encoding, as the last step before a log line is written."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

REDACTED: Final = "[redacted]"

_MIN_LENGTH: Final = 6
_GENERIC = re.compile(
    r"(?i)(bearer\s+|x-api-key['\"]?\s*[:=]\s*['\"]?|x-goog-api-key['\"]?\s*[:=]\s*['\"]?"
    r"|x-vault-token['\"]?\s*[:=]\s*['\"]?|\bhv[bs]\."
    r"|(?<![a-z0-9])aur_(?=[a-z0-9_-]{16}))"
    r"[^\s'\",}]+"
)


class Redactor:
    """A structlog processor that redacts this process's secrets."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None
        self._secrets: frozenset[str] = frozenset()

    def learn(self, secrets: Iterable[str]) -> None:
        """Add secrets. They are never removed: a deleted key may still be valid."""
        known = self._secrets | {s for s in secrets if len(s) >= _MIN_LENGTH}
        if known == self._secrets:
            return
        self._secrets = known
        needles = sorted({form for s in known for form in _forms(s)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, needles)))

    def text(self, value: str) -> str:
        """Replace known secrets, clients' secrets, and values after bearer or key headers."""
        if self._pattern is not None:  # first: `_GENERIC` stops at a quote inside a key
            value = self._pattern.sub(REDACTED, value)
        return _GENERIC.sub(lambda m: m.group(1) + REDACTED, value)

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Redact one event at every depth."""
        return {self.text(str(key)): self._any(value) for key, value in event.items()}

    def _any(self, value: object) -> object:
        if isinstance(value, dict):
            return {self.text(str(k)): self._any(v) for k, v in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._any(item) for item in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return self.text(value if isinstance(value, str) else repr(value))


def _forms(secret: str) -> set[str]:
    """Return the encodings of a key in URLs, headers, bodies and dumps."""
    raw = secret.encode()
    forms = {secret, quote(secret), quote(secret, safe="")}
    forms |= {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    forms |= {raw.hex(), raw.hex().upper()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):  # a key inside a longer text, at each of the three alignments
            inner = encode(b"\0" * shift + raw).decode()
            start = (8 * shift + 5) // 6
            end = (8 * (shift + len(raw))) // 6
            forms.add(inner[start:end])
    return {form for form in forms if len(form) >= _MIN_LENGTH}


REDACTOR: Final = Redactor()
"""The process's one redactor; adoption adds the active keys."""

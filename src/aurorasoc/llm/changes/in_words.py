"""What a change did, in words: for the history on the page and at the shell. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from aurorasoc.config.budgets import amounts_in_words
from aurorasoc.core.audit.actions import Action

Value = str | bool | int | float | tuple[str, ...] | None
"""A field's value; an option may be a number, and fallbacks are names in order."""

MOST_WORDS: Final = 6
"""How many things a summary names; the rest are counted."""

_LONGEST: Final = 80
"""Characters of a value that a summary shows: a base URL may have 2,048."""

_WITHOUT_DEFAULT: Final = re.compile(
    r"^assignments\.|^clients\.|^hosted_traffic\.|\.options\.|\.provider$"
)
"""Fields that the environment never sets for what an admin added."""

_OF_BUDGETS: Final = re.compile(r"^budgets\.")
"""Limits, which nothing sets at boot."""

_OF_ASSIGNMENTS: Final = re.compile(r"^assignments\..+\.fallbacks$")
"""Lists that stand in for the policy's, where there is one."""

_PARTS_OF_POLICY: Final = {
    "hosted_max_tlp",
    "local_backend",
    "require_tlp",
    "fallbacks",
    "on_refusal",
}
_SUBJECTS: Final = {"backend": "active connection"}
_NOT_SHOWN: Final = {"from_env"}
"""Fields of a connection that tell an admin nothing."""

_HOSTED_TRAFFIC: Final = "hosted traffic"

_KEYS: Final = {
    Action.KEY_SET.value: "set",
    Action.KEY_DELETED.value: "removed",
    Action.KEY_CHANGED_IN_VAULT.value: "changed in Vault",
    Action.KEY_MOVED_TO_VAULT.value: "moved to Vault",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed field. Null means the boot default."""

    field: Annotated[str, Field(examples=["providers.deepseek.model"])]
    before: Value
    after: Value


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str = ""
) -> Iterator[Difference]:
    """Yield the fields that differ, except the revision itself."""
    for name in sorted({*before, *after} - {"revision"}):
        old, new, place = before.get(name), after.get(name), f"{path}{name}"
        if place == "budgets":
            old, new = _limits_by_name(old or ()), _limits_by_name(new or ())
        if isinstance(old, dict) or isinstance(new, dict):
            yield from differences(old or {}, new or {}, f"{place}.")
        elif old != new:
            yield Difference(place, old, new)


def _limits_by_name(limits: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return limits in words, by scope, period and kind."""
    named: dict[str, str] = {}
    for limit in limits:
        budget = limit["budget"]
        kind = "hard" if budget["hard"] else "soft"
        amounts = amounts_in_words(budget["tokens"], budget["money"])
        named[f"{limit['scope']} per {budget['per']}, {kind}"] = amounts
    return named


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Which connection's key a revision set or removed, beside what else it changed."""

    key_set: str | None = None
    key_removed: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return what is recorded beside the configuration."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NO_KEY: Final = KeyRecord()


def summary_of(
    action: str,
    target: str,
    changes: Iterable[Difference],
    key: KeyRecord = NO_KEY,
    reason: str | None = None,
) -> list[str]:
    """Say what a change did: "vllm: model A → B", "policy: require_tlp no → yes".

    Args:
        action: The audit entry's.
        target: The audit entry's.
        changes: The fields that it changed.
        key: The key that it changed; versions before this one recorded none.
        reason: Why hosted traffic is stopped or allowed since then; None: nobody said why.
    """
    grouped = _by_subject(changes)
    if reason is not None and _HOSTED_TRAFFIC in grouped:  # it may be the one given before
        grouped[_HOSTED_TRAFFIC] = [f"{grouped[_HOSTED_TRAFFIC][0]} ({_short(reason)})"]
    words = [f"{subject}: {', '.join(its)}" for subject, its in grouped.items()]
    if action in _KEYS:
        words.append(f"key of {_short(target)} {_KEYS[action]}")
    elif key.key_set:
        words.append(f"key of {_short(key.key_set)} set")
    elif key.key_removed:
        words.append(f"key of {_short(key.key_removed)} removed")
    elif not words:
        words.append(f"key of {_short(target)} changed")
    more = len(words) - MOST_WORDS
    return [*words[:MOST_WORDS], f"and {more} more"] if more > 0 else words


def value_in_words(field: str, value: Value, default: str = "boot default") -> str:
    """Return a value as the history shows it.

    Args:
        field: Whose value.
        value: None means that nothing was chosen.
        default: What is in force then.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(value) or "none"
    if value is not None:
        return str(value)
    if _OF_ASSIGNMENTS.search(field):
        return "the policy's"
    return "none" if _WITHOUT_DEFAULT.search(field) or _OF_BUDGETS.search(field) else default


def _by_subject(changes: Iterable[Difference]) -> dict[str, list[str]]:
    """Return what changed of each connection, role, agent, the policy, and the choice."""
    grouped: dict[str, list[str]] = {}
    for one in changes:
        subject, words = _subject_and_words(one)
        if words is not None:
            grouped.setdefault(subject, []).append(words)
    return grouped


def _subject_and_words(one: Difference) -> tuple[str, str | None]:
    match one.field.split(".", 2):
        case ["providers", name, field]:
            return name, _of_connection(field, one)
        case ["assignments", kind, field]:
            who, _, what = field.partition(".")
            return f"{kind.removesuffix('s')} {who}", f"{what} {_step(one)}"
        case [field] if field in _PARTS_OF_POLICY:
            return "policy", f"{field} {_step(one)}"
        case ["hosted_traffic", field]:
            return _HOSTED_TRAFFIC, _step(one) if field == "state" else None
        case ["clients", name, field]:
            return f"client {name}", _of_client(field, one)
    return _of_others(one)


def _of_others(one: Difference) -> tuple[str, str | None]:
    subject, _, limit = one.field.partition(".")
    if subject == "budgets":
        return subject, f"{limit}: {_step(one)}"
    return _SUBJECTS.get(one.field, one.field), _step(one)


def _of_connection(field: str, one: Difference) -> str | None:
    if field == "provider":
        return f"removed ({one.before})" if one.after is None else f"added ({one.after})"
    return None if field in _NOT_SHOWN else f"{field} {_step(one)}"


def _of_client(field: str, one: Difference) -> str | None:
    """Say what became of a client; its values never change, so only its removal takes them."""
    if field == "created_at":
        return "revoked" if one.after is None else "made"
    if field == "secret_at" and one.before is not None and one.after is not None:
        return "secret replaced"
    if one.after is None or field in {"created_by", "secret_at"}:
        return None
    return f"{field} {_step(one)}"


def _step(one: Difference) -> str:
    before, after = (_short(value_in_words(one.field, value)) for value in (one.before, one.after))
    return f"{before} → {after}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

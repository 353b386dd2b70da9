"""How much may be spent, by whom and in which time: limits on tokens and on money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args, overload

from aurorasoc.config.vocabulary import is_agent_name, is_connection_name

Period = Literal["day", "month"]
"""A calendar day or month, UTC."""

ScopeKind = Literal["connection", "agent", "client"]

MICROS: Final = 1_000_000
"""Micro-USD in a dollar: money is counted in whole ones, so that sums are exact."""

MOST_TOKENS: Final = 10**15
MOST_MICROS: Final = 10**9 * MICROS
"""Nobody spends more: a thousand million dollars."""

MAX_LIMITS: Final = 200
"""How many limits may be set."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in a period.

    Attributes:
        per: The period.
        tokens: Prompt and completion together; None: any number.
        money: In micro-USD; None: any amount.
        hard: Whether calls beyond it are refused; else somebody is warned, once a period.
    """

    per: Period
    tokens: int | None = None
    money: int | None = None
    hard: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether it limits something, by amounts that can be."""
        amounts = ((self.tokens, MOST_TOKENS), (self.money, MOST_MICROS))
        within = all(amount is None or 1 <= amount <= most for amount, most in amounts)
        is_some = self.tokens is not None or self.money is not None
        return self.per in get_args(Period) and within and is_some


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget, and who shares it.

    Attributes:
        scope: `connection:NAME`, `agent:NAME` or `client:NAME`.
    """

    scope: str
    budget: Budget

    @property
    def kind(self) -> str:
        """Connection, agent or client."""
        return self.scope.partition(":")[0]

    @property
    def name(self) -> str:
        """Its name."""
        return self.scope.partition(":")[2]

    @property
    def key(self) -> tuple[str, Period, bool]:
        """What no other limit has: one limit of a kind for each scope and period."""
        return self.scope, self.budget.per, self.budget.hard


def scope_of(kind: ScopeKind, name: str) -> str:
    """Return the scope of a connection, agent or client."""
    return f"{kind}:{name}"


def is_scope(text: str) -> bool:
    """Whether a text can name a scope; whether somebody is called so is another question."""
    kind, _, name = text.partition(":")
    if kind == "connection":
        return is_connection_name(name)
    return kind in {"agent", "client"} and is_agent_name(name)


def amounts_in_words(tokens: int | None, micros: int | None) -> str:
    """Return amounts as people read them: "1,000,000 tokens and 5 USD"."""
    words = [] if tokens is None else [f"{tokens:,} tokens"]
    if micros is not None:
        words.append(f"{dollars(micros)} USD")
    return " and ".join(words)


@overload
def usd(micros: int) -> float: ...
@overload
def usd(micros: None) -> None: ...
def usd(micros: int | None) -> float | None:
    """Return an amount in dollars, as JSON has numbers; None stays unknown."""
    return None if micros is None else micros / MICROS


def dollars(micros: int) -> str:
    """Return an amount in dollars, exactly, without zeros at its end."""
    sign, (whole, rest) = "-" if micros < 0 else "", divmod(abs(micros), MICROS)
    fraction = f"{rest:06}".rstrip("0")
    return f"{sign}{whole:,}.{fraction}" if fraction else f"{sign}{whole:,}"


def can_be_limits(limits: Iterable[Limit]) -> bool:
    """Whether limits can be set together: sound, few, and no two of the same kind."""
    limits = tuple(limits)
    sound = all(is_scope(one.scope) and one.budget.is_sound for one in limits)
    return sound and len(limits) <= MAX_LIMITS and len({one.key for one in limits}) == len(limits)

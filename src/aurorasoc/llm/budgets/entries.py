"""What the books hold, and what a transaction is asked and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from aurorasoc.config.budgets import Limit
from aurorasoc.config.call_options import Price
from aurorasoc.llm.budgets.prices import longest_answer
from aurorasoc.llm.wire.prices import most_of


class Account(NamedTuple):
    """What one scope spends in one day or month."""

    scope: str
    period: str


@dataclass(slots=True)
class Balance:
    """An account as it stands. Money is in micro-USD."""

    spent_tokens: int = 0
    spent_micros: int = 0
    reserved_tokens: int = 0
    reserved_micros: int = 0

    @property
    def tokens(self) -> int:
        """Spent and reserved."""
        return self.spent_tokens + self.reserved_tokens

    @property
    def micros(self) -> int:
        """Spent and reserved."""
        return self.spent_micros + self.reserved_micros


def is_passed(limit: Limit, balance: Balance) -> bool:
    """Whether what was spent reaches a limit."""
    budget = limit.budget
    tokens = budget.tokens is not None and balance.spent_tokens >= budget.tokens
    return tokens or (budget.money is not None and balance.spent_micros >= budget.money)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A hard limit that a call counts against: amounts that its account may not exceed."""

    account: Account
    tokens: int | None
    micros: int | None

    def room(self, balance: Balance, prompt: int, price: Price | None) -> int:
        """Return how many tokens an answer may have, so that it and its prompt fit in."""
        rooms = []
        if self.tokens is not None:
            rooms.append(self.tokens - balance.tokens - prompt)
        if self.micros is not None and price is not None:
            rooms.append(longest_answer(self.micros - balance.micros, prompt, price))
        return min(rooms, default=0)


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """What one transmission wants reserved.

    Attributes:
        id: Of the reservation.
        prompt: Tokens of the prompt at most.
        completion: Tokens of the answer at most.
        least: Tokens of the answer with which it is content.
        price: None: nobody knows it, and no ceiling limits money.
        ceilings: The hard limits that it counts against.
    """

    id: str
    prompt: int
    completion: int
    least: int
    price: Price | None
    ceilings: tuple[Ceiling, ...]

    @property
    def accounts(self) -> frozenset[Account]:
        """The accounts that it is reserved in."""
        return frozenset(one.account for one in self.ceilings)

    def micros(self, completion: int) -> int:
        """Return what it costs with an answer of a length."""
        return 0 if self.price is None else most_of(self.prompt, completion, self.price)


@dataclass(frozen=True, slots=True)
class Full:
    """Why nothing was reserved: a ceiling, and how its account stands."""

    ceiling: Ceiling
    balance: Balance


@dataclass(frozen=True, slots=True)
class Granted:
    """What was reserved: so many tokens of an answer."""

    completion: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reserved transmission did cost; None: all that was reserved.

    Attributes:
        id: Of the reservation.
        accounts: Where it is reserved.
    """

    id: str
    accounts: frozenset[Account]
    tokens: int | None = None
    micros: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """What a call cost that reserved nothing, for an account with soft limits alone."""

    account: Account
    tokens: int
    micros: int


@dataclass(slots=True)
class Outcome:
    """What a transaction did.

    Attributes:
        answers: What became of each request, by its id.
        before: The accounts as they stood.
        after: The accounts as they stand.
    """

    answers: dict[str, Granted | Full] = field(default_factory=dict)
    before: dict[Account, Balance] = field(default_factory=dict)
    after: dict[Account, Balance] = field(default_factory=dict)


def accounts_of(
    requested: Iterable[ReservationRequest],
    settled: Iterable[Settlement],
    posted: Iterable[Posting],
) -> frozenset[Account]:
    """Return the accounts that a transaction changes."""
    return frozenset().union(
        *(one.accounts for one in requested),
        *(one.accounts for one in settled),
        [one.account for one in posted],
    )

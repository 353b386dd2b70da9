"""Shorten what pydantic says of a value to the rule that it broke."""

from __future__ import annotations


def rule_of(message: str) -> str:
    """Return a validation message without pydantic's frame around a rule.

    "Input should be a valid integer, unable to parse string as an integer" becomes "Input should
    be a valid integer".
    """
    return message.removeprefix("Value error, ").partition(", unable to ")[0]

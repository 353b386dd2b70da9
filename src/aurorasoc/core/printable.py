"""Texts from outside, made fit for a list or a log."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return a text without control characters, surrogates and line breaks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())

"""Tells thoughts from the answer in text that holds both.

A server without a parser for its reasoning model hands its tags on. Where the chat template writes
the beginning tag into the prompt, the answer holds the ending one alone.
"""

from __future__ import annotations

import re
from typing import Final

_TAGS: Final = {
    "<think>": "</think>",  # DeepSeek, Qwen, GLM, MiniMax, Granite
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # Gemini behind OpenAI's protocol, EXAONE
    "<reasoning>": "</reasoning>",  # gpt-oss and Kimi at Bedrock; each piece of a stream in its own
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",  # Magistral
}
_UNANNOUNCED: Final = re.compile(r"""(?<!["'`])(?:</think>|\[/THINK\])(?!["'`])""")
"""An end without a beginning. A quoted one is talked about: whoever wrote the alert may have."""

_OF_JSON: Final = ("{", "[", "```")
_UNSAID: Final = "</think>"

Split = tuple[str, str]
"""Thoughts, and what belongs to the answer."""


class ThoughtSplitter:
    """Takes text as it comes, and returns what is certain of it.

    Args:
        begins_with_thoughts: Whether this model is known to leave the beginning tag out: then
            nothing belongs to the answer before the ending one.

    Attributes:
        untagged: Whether thoughts ended that had no beginning tag.
    """

    def __init__(self, *, begins_with_thoughts: bool = False) -> None:
        self.untagged = False
        self._held = ""
        self._closing = ""
        self._in_answer = False
        self._after_thoughts = False
        self._unsaid = begins_with_thoughts
        self._perhaps: list[str] = []

    def feed(self, text: str) -> Split:
        """Take a piece."""
        if self._in_answer:
            return "", text
        self._held += text
        thoughts = ""
        while self._closing or self._begins():
            more, ended = self._until_end()
            thoughts += more
            if not ended:
                return thoughts, ""
        return thoughts, self._certain()

    def told_apart(self) -> None:
        """Note that the server sends thoughts in a field of their own: text is the answer."""
        self._unsaid = False

    def end(self, *, cut: bool = False) -> Split:
        """Return what was held back when the text ended.

        Args:
            cut: Whether a limit cut the text off, and with it perhaps the end of thoughts.
        """
        held, self._held = self._held, ""
        if self._perhaps:  # no end came, so these were no thoughts, or nothing else
            held = "".join(self._perhaps) + held
            return (held, "") if cut else ("", held)
        if self._closing:
            return held, ""
        return "", held.lstrip() if self._after_thoughts else held

    def _begins(self) -> bool:
        """Whether thoughts begin here."""
        text = self._held.lstrip()
        for opening, closing in _TAGS.items():
            if text.startswith(opening):
                self._held, self._closing = text[len(opening) :], closing
                return True
        if self._unsaid and text and not _may_begin(text) and not text.startswith(_OF_JSON):
            self._closing, self._perhaps = _UNSAID, [""]
            return True
        return False

    def _until_end(self) -> tuple[str, bool]:
        """Return thoughts up to their end, and whether that has come."""
        place = self._held.find(self._closing)
        keep = len(self._held) - len(self._closing) + 1
        stop = place if place >= 0 else max(keep, 0)
        thoughts, self._held = self._held[:stop], self._held[stop:]
        if self._perhaps:
            self._perhaps.append(thoughts)
            thoughts = ""
        if place < 0:
            return thoughts, False
        self.untagged |= bool(self._perhaps)
        thoughts += "".join(self._perhaps)
        self._held = self._held[len(self._closing) :]
        self._closing, self._perhaps, self._unsaid, self._after_thoughts = "", [], False, True
        return thoughts, True

    def _certain(self) -> str:
        """Return what belongs to the answer, whatever comes."""
        text = self._held.lstrip()
        if not text or _may_begin(text):
            return ""
        answer = text if self._after_thoughts else self._held
        self._held, self._in_answer = "", True
        return answer


def split_whole(
    text: str, *, begins_with_thoughts: bool = False, cut: bool = False
) -> tuple[str, str, bool]:
    """Return the thoughts and the answer of a whole text, and whether the beginning was missing.

    Args:
        text: What the model wrote.
        begins_with_thoughts: As for a `ThoughtSplitter`.
        cut: Whether a limit cut the text off.
    """
    splitter = ThoughtSplitter(begins_with_thoughts=begins_with_thoughts)
    thoughts, answer = splitter.feed(text)
    more, rest = splitter.end(cut=cut)
    thoughts, answer = thoughts + more, answer + rest
    end = None if thoughts else unannounced_end(answer)
    if end is None:
        return thoughts, answer, splitter.untagged
    return answer[: end.start()], answer[end.end() :].lstrip(), True


def unannounced_end(text: str) -> re.Match[str] | None:
    """Return where thoughts without a beginning end in a whole text."""
    if text.lstrip().startswith(_OF_JSON):
        return None
    end = _UNANNOUNCED.search(text)
    if end is None or any(text.find(opening, 0, end.start()) >= 0 for opening in _TAGS):
        return None
    return end


def _may_begin(text: str) -> bool:
    """Whether a tag may begin here that isn't here as a whole."""
    return any(opening.startswith(text) for opening in _TAGS)

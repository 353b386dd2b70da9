"""Thoughts in text: with their beginning tag or without, in one piece or in many."""

import time

import pytest

from aurorasoc.llm.wire.answers.thoughts import ThoughtSplitter, split_whole

TEXTS = {
    "none": ("pong", "", "pong"),
    "announced": ("<think>The {user} wants.</think>\n\npong", "The {user} wants.", "pong"),
    "after blanks": ("\n <think>hm</think>pong", "hm", "pong"),
    "twice": ("<think>a</think>\n<think>b</think>pong", "ab", "pong"),
    "Magistral's": ("[THINK]hm[/THINK]pong", "hm", "pong"),
    "never ended": ("<think>hm, hm", "hm, hm", ""),
    "empty": ("<think></think>pong", "", "pong"),
    "a tag in the answer": (
        "The tag <think> begins thoughts",
        "",
        "The tag <think> begins thoughts",
    ),
    "almost a tag": ("<thin ice", "", "<thin ice"),
    "blanks": ("  ", "", "  "),
    "blanks behind thoughts": ("<think>hm</think>\n", "hm", ""),
    "what may begin a tag behind thoughts": ("<think>hm</think>\n[", "hm", "["),
}


def streamed(text: str, size: int, *, begins_with_thoughts: bool = False) -> tuple[str, str]:
    """Feed a text in pieces."""
    splitter = ThoughtSplitter(begins_with_thoughts=begins_with_thoughts)
    pieces = [splitter.feed(text[at : at + size]) for at in range(0, len(text), size)]
    pieces.append(splitter.end())
    return "".join(thought for thought, _ in pieces), "".join(answer for _, answer in pieces)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_however_the_text_arrives_thoughts_stay_apart(name: str, size: int) -> None:
    """A tag may be split over pieces."""
    text, thoughts, answer = TEXTS[name]
    assert streamed(text, size) == (thoughts, answer)


@pytest.mark.parametrize("name", TEXTS)
def test_a_whole_text_is_split_alike(name: str) -> None:
    """With nothing known of the model."""
    text, thoughts, answer = TEXTS[name]
    assert split_whole(text) == (thoughts, answer, False)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_thoughts_without_a_beginning_are_no_answer(size: int) -> None:
    """Chat templates write it into the prompt."""
    text = "The user wants {one} sentence.\n</think>\n\npong"
    assert split_whole(text) == ("The user wants {one} sentence.\n", "pong", True)
    thoughts, answer = streamed(text, size, begins_with_thoughts=True)
    assert (thoughts, answer) == ("The user wants {one} sentence.\n", "pong")


@pytest.mark.parametrize(
    "text",
    ["The line holds `</think>` twice", '{"evidence": "a </think> b"}', 'It says "</think>".'],
)
def test_a_tag_that_is_talked_about_hides_nothing(text: str) -> None:
    """It may come from an alert: who wrote that would choose what isn't shown."""
    assert split_whole(text) == ("", text, False)


def test_a_server_that_tells_thoughts_apart_is_not_waited_for() -> None:
    """It was given a parser since: what comes as text is the answer."""
    splitter = ThoughtSplitter(begins_with_thoughts=True)
    splitter.told_apart()
    assert splitter.feed("pong") == ("", "pong")


def test_text_flows_at_once_where_nothing_is_held_back() -> None:
    """A stream stays one."""
    splitter = ThoughtSplitter()
    assert [splitter.feed(piece) for piece in ("po", "ng", " </think>")] == [
        ("", "po"),
        ("", "ng"),
        ("", " </think>"),
    ]


@pytest.mark.parametrize("piece", ["<", "</think>", "<think>", "x", " "])
def test_a_long_text_is_split_in_linear_time(piece: str) -> None:
    """Whatever a model writes, the loop goes on; squared, this would take minutes."""
    began = time.process_time()
    split_whole(piece * 100_000)
    streamed(piece * 100_000, 3, begins_with_thoughts=True)
    assert time.process_time() - began < 20

"""`aurorasoc connections …`: make, change and remove ways to providers."""

from typing import Any

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.vendor import Fault, Refusal, VendorServer

AZURE = ("connections", "set", "azure", "--preset", "azure", "--place", "resource=soc-eu")
LAB = (
    "connections",
    "set",
    "vllm-lab",
    "--provider",
    "vllm",
    "--base-url",
    "http://localhost:9/v1",
)


def _row(shell: Shell, name: str) -> dict[str, Any]:
    rows = shell("connections", "list", "--json").json["providers"]
    (row,) = (row for row in rows if row["connection"] == name)
    return dict(row)


def address_of(server: VendorServer) -> tuple[str, ...]:
    """Return the options that lead to a server that plays vLLM."""
    return ("--provider", "vllm", "--base-url", server.url, "--model", "m")


def test_a_connection_is_made_from_a_preset_with_its_key(shell: Shell) -> None:
    """What was made is said, with the address and the store of the key; nothing is switched."""
    ceiling = ("--max-tlp", "amber", "--yes")
    result = shell(*AZURE, "--model", "gpt-5", *ceiling, "--key", stdin=API_KEY)
    made, calls, active = result.out.splitlines()
    what, _, key = made.partition("; ")
    assert what == "connection azure made: base-url, max-tlp, model"
    assert key == "key stored for https://soc-eu.openai.azure.com:443 in the database"
    url = "https://soc-eu.openai.azure.com/openai/v1/chat/completions"
    assert calls == f"Calls will go to {url}"
    assert active == "revision 1, active: vllm granite-soc-specialist"
    row = _row(shell, "azure")
    assert row["base_url"] == "https://soc-eu.openai.azure.com/openai/v1"
    assert (row["provider"], row["max_tlp"], row["ready"]) == ("openai", "AMBER", True)
    assert row["key_last4"] == API_KEY[-4:]


def test_a_change_touches_what_it_names_only(shell: Shell) -> None:
    """Options, too: each is set and taken away by itself."""
    shell(*LAB, "--model", "m", "--option", "temperature=0.2", "--header", "X-Team=soc")
    result = shell("connections", "set", "vllm-lab", "--option", "max_output_tokens=100")
    assert result.out.startswith("connection vllm-lab changed: options\n")
    row = _row(shell, "vllm-lab")
    options = {name: value for name, value in row["options"].items() if value is not None}
    expected = {"temperature": 0.2, "max_output_tokens": 100, "headers": {"x-team": "soc"}}
    assert (row["model"], options) == ("m", expected)
    shell("connections", "set", "vllm-lab", "--option", "temperature=", "--header", "x-team=")
    options = _row(shell, "vllm-lab")["options"]
    left = (options["temperature"], options["max_output_tokens"], options["headers"])
    assert left == (None, 100, {})


def test_a_price_is_set_and_taken_away_by_its_parts(shell: Shell) -> None:
    """Other options stay; without its parts there is no price."""
    shell(*LAB, "--option", "temperature=0.2", "--price", "prompt=0.2", "--price", "completion=1")
    shell("connections", "set", "vllm-lab", "--price", "cache-write=0.3")
    price = _row(shell, "vllm-lab")["options"]["price"]
    assert price == {"prompt": 0.2, "completion": 1, "cached": None, "cache_write": 0.3}
    gone = (argument for name in price for argument in ("--price", f"{name}="))
    shell("connections", "set", "vllm-lab", *gone)
    options = _row(shell, "vllm-lab")["options"]
    assert (options["price"], options["temperature"]) == (None, 0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--price", "prompt=0.2"), "--price completion:"),
        (("--price", "prompt=dear", "--price", "completion=1"), "--price prompt:"),
        (("--option", "price=1"), "price is set with --price"),
    ],
)
def test_a_price_that_cannot_be_is_refused_by_its_option(
    shell: Shell, arguments: tuple[str, ...], message: str
) -> None:
    """Its name is said, its value isn't."""
    result = shell(*LAB, *arguments)
    assert (result.code, message in result.error) == (2, True), result.error


def test_a_value_goes_back_to_the_boot_default(shell: Shell) -> None:
    """A ceiling to the policy's, a model to the environment's, a key to none."""
    values = ("--model", "m", "--max-tlp", "RED", "--key")
    shell("connections", "set", "openai", *values, "--yes", stdin=API_KEY)
    back = ("--unset", "model", "--unset", "max-tlp", "--unset", "key")
    result = shell("connections", "set", "openai", *back)
    assert result.out.startswith("connection openai changed: max-tlp, model; key removed\n")
    row = _row(shell, "openai")
    assert (row["model"], row["max_tlp"], row["key_state"]) == ("gpt-4o", None, "absent")


def test_a_connection_is_deleted_with_its_key(shell: Shell) -> None:
    """Unless somebody uses it, which is said."""
    shell(*LAB, "--model", "m", "--key", stdin=API_KEY)
    shell("providers", "use", "vllm-lab")
    refused = shell("connections", "delete", "vllm-lab")
    assert (refused.code, "it is active" in refused.error) == (2, True)
    shell("providers", "use", "vllm")
    result = shell("connections", "delete", "vllm-lab")
    assert result.out.startswith("connection vllm-lab deleted, with its key\n")
    assert "vllm-lab" not in shell("connections", "list").out


def test_a_connection_without_a_key_is_deleted_and_none_is_spoken_of(shell: Shell) -> None:
    """A key that never was isn't said to be gone."""
    shell(*LAB)
    result = shell("connections", "delete", "vllm-lab")
    assert result.out.startswith("connection vllm-lab deleted\n")


def test_an_options_name_may_be_written_as_the_shells_options_are(shell: Shell) -> None:
    """With `-` for `_`."""
    shell(*LAB, "--option", "max-output-tokens=50")
    assert _row(shell, "vllm-lab")["options"]["max_output_tokens"] == 50


def test_a_missing_key_is_asked_for_in_words_of_the_shell(shell: Shell) -> None:
    """An empty pipe is a likely mistake."""
    for command in (("key", "set", "openai"), ("connections", "set", "openai", "--key")):
        result = shell(*command, stdin="")
        assert (result.code, "key: standard input is empty. Pipe" in result.error) == (2, True)


@pytest.mark.usefixtures("libraries")
def test_a_named_connection_is_used_tested_and_given_a_key(shell: Shell) -> None:
    """By the commands that take a built-in one."""
    with VendorServer({"vllm": API_KEY}, plays=["vllm"]) as server:
        shell("connections", "set", "lab", *address_of(server))
        assert shell("key", "set", "lab", stdin=API_KEY).code == 0
        assert shell("providers", "test", "lab").code == 0
        assert shell("providers", "use", "lab").out == "revision 3, active: lab m\n"
        assert shell("key", "delete", "lab").code == 0
    assert _row(shell, "lab")["key_state"] == "absent"


def test_the_list_has_a_header_and_a_line_for_each(shell: Shell) -> None:
    """Who declares it, its own ceiling, its address, and its options below."""
    shell(*LAB, "--model", "m", "--max-tlp", "RED", "--yes", "--option", "temperature=0")
    _, header, *lines = shell("connections", "list").out.splitlines()
    assert header.split()[-1] == "ADDRESS"
    place = next(i for i, line in enumerate(lines) if line.split()[0] == "vllm-lab")
    expected = "vllm-lab vllm not called yet - RED runtime m http://localhost:9/v1"
    assert lines[place].split() == expected.split()
    assert lines[place + 1].strip() == "options: temperature=0.0"


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault(), 0), (Fault(refusal=Refusal.BAD_KEY), 1)],
    ids=["passes", "fails"],
)
@pytest.mark.usefixtures("libraries")
def test_a_connection_can_be_tested_before_it_is_made(
    shell: Shell, fault: Fault, code: int
) -> None:
    """One that fails is not made, and the exit code is that of a bad answer."""
    with VendorServer({"vllm": API_KEY}, plays=["vllm"]) as server:
        server.faults.set(fault)
        asked = (*address_of(server), "--key", "--verify")
        result = shell("connections", "set", "lab", *asked, stdin=API_KEY)
        assert (result.code, bool(server.requests)) == (code, True)
        assert result.err.endswith(" Nothing was changed.\n") is (code == 1)
    assert ("lab" in shell("connections", "list").out.split()) is (code == 0)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("lab",), "--provider"),
        (("lab", "--provider", "nonesuch"), "--provider"),
        (("lab", "--preset", "nonesuch"), "--preset"),
        (("lab", "--preset", "azure"), "--place resource"),
        (("openai", "--max-tlp", "PURPLE"), "--max-tlp"),
        (("openai", "--unset", "nonesuch"), "--unset"),
        (("openai", "--unset", "model", "--model", "m"), "--unset model"),
        (("openai", "--model", ""), "--model"),
        (("openai", "--key"), "--key"),
        (("openai", "--base-url", "ftp://host/v1"), "--base-url"),
        (("openai", "--option", "temperature=9"), "--option temperature"),
        (("openai", "--option", "temperature=warm"), "--option temperature"),
        (("openai", "--option", "nonesuch=1"), "--option"),
        (("openai", "--option", "headers=1"), "--option"),
        (("openai", "--option", "temperature"), "--option"),
        (("openai", "--header", "authorization=x"), "--header"),
        (("openai",), "--model"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_refusal_names_the_option(shell: Shell, arguments: tuple[str, ...], option: str) -> None:
    """In one line, with exit code 2; nothing is changed."""
    result = shell("connections", "set", *arguments)
    assert (result.code, result.out) == (2, "")
    assert option in result.error
    assert shell("connections", "list").out.startswith("revision 0,")


@pytest.mark.parametrize("option", ["--option", "--header", "--place"])
def test_a_key_in_the_wrong_place_is_not_repeated(shell: Shell, option: str) -> None:
    """A CI job's log would keep it."""
    for text in (API_KEY, f"{API_KEY}=1", f"a={API_KEY}"):
        result = shell("connections", "set", "lab", "--preset", "azure", option, text)
        assert result.code == 2
        assert API_KEY not in result.out + result.err

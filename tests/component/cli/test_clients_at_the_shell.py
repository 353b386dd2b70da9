"""`aurorasoc clients …`: the secret is alone on standard output, and shown once."""

from tests.component.cli.conftest import Shell


def test_a_secret_is_alone_on_standard_output(shell: Shell) -> None:
    """So that a script can put it where it belongs."""
    made = shell("clients", "create", "siem", "--max-tlp", "amber", "--wait", "0")
    assert made.code == 0, made.err
    (secret,) = made.out.split()
    assert (secret[:4], len(secret)) == ("aur_", 47)
    assert secret not in made.err
    assert "client siem made" in made.err
    assert secret not in shell("clients", "list", "--json").out


def test_the_list_says_what_each_may_do(shell: Shell) -> None:
    """In columns."""
    assert shell("clients", "list").out == "There are no clients.\n"
    shell(
        *("clients", "create", "siem", "--max-tlp", "AMBER", "--budget-per", "day"),
        *("--budget-money", "2.5", "--budget-hard", "--expires-at", "2999-01-01T00:00:00+01:00"),
    )
    row = shell("clients", "list").out.splitlines()[1]
    assert row.split("  ")[0] == "siem"
    assert "$2.50 a day, hard" in row
    assert "2998-12-31T23:00:00.000000Z" in row


def test_a_new_secret_says_what_becomes_of_the_old_one(shell: Shell) -> None:
    """Without a grace it has ended."""
    shell("clients", "create", "siem")
    assert "has ended" in shell("clients", "rotate", "siem").err
    kept = shell("clients", "rotate", "siem", "--grace", "60", "--json").json
    assert kept["old_secret_until"] is not None
    assert shell("clients", "rotate", "siem", "--grace", "-1").code == 2


def test_a_revoked_client_is_gone(shell: Shell) -> None:
    """A second time there is nothing to revoke."""
    shell("clients", "create", "siem")
    assert "client siem revoked, revision 2" in shell("clients", "revoke", "siem").out
    again = shell("clients", "revoke", "siem")
    assert (again.code, "no such client" in again.err) == (2, True)


def test_what_no_client_can_be_is_wrong_usage(shell: Shell) -> None:
    """The option is named, the value isn't repeated."""
    for refusal, *arguments in (
        ("NAME: must be a-z", "Siem"),
        ("--expires-at: must be a time with its offset", "siem", "--expires-at", "tomorrow"),
        ("--expires-at: must be a time with its offset", "siem", "--expires-at", "2999-01-01"),
        ("--expires-at: must be in", "siem", "--expires-at", "2020-01-01T00:00:00Z"),
        ("--budget-per: ", "siem", "--budget-tokens", "5"),
        ("--budget-per: ", "siem", "--budget-hard"),
        ("--budget-per: ", "siem", "--budget-per", "day"),
        ("--max-tlp", "siem", "--max-tlp", "none"),
    ):
        result = shell("clients", "create", *arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert refusal in result.err
        assert arguments[-1] not in result.err.replace("--budget-per", "") or len(arguments) == 2
    assert shell("clients", "list").out == "There are no clients.\n"

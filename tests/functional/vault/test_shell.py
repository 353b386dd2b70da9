"""What lies about in a shell or a home folder reaches Vault with none of its requests."""

from pathlib import Path
from typing import Final

from tests.world.service import run_command, service_env
from tests.world.vault.faults import VaultFaultProxy
from tests.world.vault.members import KEY, House

STRAY: Final = "hvs.stray-token-of-the-home-folder"
NOWHERE: Final = "http://127.0.0.1:1"


def test_nothing_of_the_shell_reaches_vault(
    house: House, proxy: VaultFaultProxy, tmp_path: Path
) -> None:
    """Neither a token, nor a password, a proxy, authorities or a certificate."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".vault-token").write_text(STRAY, "ascii")
    (home / ".netrc").write_text("machine 127.0.0.1 login stray password stray", "ascii")
    (home / ".netrc").chmod(0o600)
    shell = {
        "HOME": str(home),
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "REQUESTS_CA_BUNDLE": str(home / "absent.pem"),
        "VAULT_CAPATH": str(home / "absent"),
        "VAULT_CLIENT_CERT": str(home / "absent.pem"),
        "VAULT_CLIENT_KEY": str(home / "absent.pem"),
    }
    env = service_env(house.folder, house.env(proxy.url) | shell)
    done = run_command("key", "set", "deepseek", env=env, cwd=house.folder, stdin=KEY)
    assert done.returncode == 0, done.stderr
    assert proxy.seen("/data/", "POST")
    headers = [seen.exchange.headers for seen in proxy.seen()]
    assert not any("authorization" in sent or STRAY in sent.values() for sent in headers)

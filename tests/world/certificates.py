"""A test certificate authority whose files live in a temporary folder.

Its root is what `SSL_CERT_FILE` names in a child process; its server certificates carry
the vendors' real host names, so that TLS is verified in tests exactly as it is in production.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

VENDOR_HOSTS: Final = (
    "api.openai.com",
    "api.deepseek.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "soc-eu.openai.azure.com",
)
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server's certificate chain and private key, both PEM files."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a server-side TLS context that presents this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


class CertificateAuthority:
    """Issue server certificates below one root, which is written to `pem` at once."""

    def __init__(self, folder: Path) -> None:
        """Make a fresh root and write it into `folder`, which must exist."""
        self._authority = trustme.CA()
        self._folder = folder
        self._issued = 0
        self.pem = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.pem))

    def issue(self, *hosts: str) -> ServerCertificate:
        """Issue a certificate for `hosts`: by default the vendors' names and loopback."""
        leaf = self._authority.issue_cert(*(hosts or (*VENDOR_HOSTS, *LOOPBACK_HOSTS)))
        self._issued += 1
        chain = self._folder / f"server-{self._issued}.pem"
        key = self._folder / f"server-{self._issued}.key"
        for position, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(str(chain), append=position > 0)
        key.touch(mode=0o600)
        leaf.private_key_pem.write_to_path(str(key))
        return ServerCertificate(chain, key)

    def client_context(self) -> ssl.SSLContext:
        """Return a client-side TLS context that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.pem))

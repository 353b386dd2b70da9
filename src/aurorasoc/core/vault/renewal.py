"""Renew the token before it expires, and warn early where that can't be done."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.logs import get_logger
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.core.vault.lease import Lease
from aurorasoc.core.vault.session import VaultSession
from aurorasoc.errors import SecretStoreUnavailable

RETRY_SECONDS: Final = 5.0

log = get_logger("aurorasoc.vault")


class TokenRenewal:
    """Renews the session's token after about two thirds of its lifetime.

    If Vault grants no more time, a new login replaces a token from a login. A static token can't
    be replaced: its expiry is logged at once, and shown in the last third of its lifetime.

    Args:
        session: Holds the token.

    Attributes:
        ending: Whether a static token expires soon and can't be renewed.
    """

    def __init__(self, session: VaultSession) -> None:
        self._session = session
        self._known = session.can_log_in
        self.ending = False

    async def run(self) -> None:
        """Keep the token valid until cancelled."""
        while True:
            try:
                await self._next()
            except SecretStoreUnavailable as problem:
                log.warning("the token wasn't renewed", code=problem.code, detail=problem.detail)
                await asyncio.sleep(RETRY_SECONDS)

    async def _next(self) -> None:
        self._session.renewed.clear()
        if not self._known:
            await self._look_up()
        lease = self._session.lease
        if await self._falls_due(lease) and lease is not None:
            await self._extend(lease)

    async def _look_up(self) -> None:
        """Look up how long a static token is valid; warn at once if it can't be renewed."""
        await self._session.look_up()
        self._known = True
        lease = self._session.lease
        if lease is not None and not lease.renewable:
            _warn(lease)

    async def _falls_due(self, lease: Lease | None) -> bool:
        """Wait until renewal is due (True) or there is a new lease (False)."""
        pause = None if lease is None or self.ending else lease.renew_at - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._session.renewed.wait()
                return False
        return True

    async def _extend(self, lease: Lease) -> None:
        if lease.renewable and await self._renewed():
            return
        if self._session.can_log_in:
            await self._session.log_in()
            return
        self.ending = True
        _warn(lease)

    async def _renewed(self) -> bool:
        """Renew; return False on a failure that a new login may avoid."""
        try:
            return await self._session.renew()
        except VaultProblem:
            if self._session.can_log_in:
                return False
            raise


def _warn(lease: Lease) -> None:
    end = now_us() + round((lease.ends_at - time.monotonic()) * 1e6)
    log.warning("VAULT_TOKEN can't be renewed: replace it before it ends", ends=iso(end))

"""Say which tests this machine left out, and how to have them: the last lines of `make test`."""

import sys

from tests.world.a2a_clients import JAVASCRIPT
from tests.world.chromium import CHROMIUM
from tests.world.vault.server import VAULT

for program in (VAULT, CHROMIUM, JAVASCRIPT):
    if program.find() is None:
        sys.stdout.write(f"==> left out: {program.tests}, for there is {program.missing}\n")

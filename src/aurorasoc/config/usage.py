"""How usage is told apart and summed up, where it is reported."""

from __future__ import annotations

from typing import Final, Literal, get_args

By = Literal["connection", "model", "agent", "client", "tlp", "caller"]
Bucket = Literal["hour", "day"]

BYS: Final = get_args(By)

"""A loopback server that speaks the vendors' wire formats, with faults to be switched on."""

from tests.world.vendor.faults import Fault, FaultSwitch, Refusal
from tests.world.vendor.http1 import Exchange
from tests.world.vendor.server import VendorServer
from tests.world.vendor.turn import Question, Usage

__all__ = ["Exchange", "Fault", "FaultSwitch", "Question", "Refusal", "Usage", "VendorServer"]

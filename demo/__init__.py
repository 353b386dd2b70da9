"""A tour that checks itself: the whole switch, run against real processes on loopback."""

"""The world that functional tests talk to: real servers on loopback, and how they start."""

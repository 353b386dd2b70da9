"""An agent as a server of the Agent2Agent protocol (https://a2a-protocol.org)."""

"""The verifiable record of who did what."""

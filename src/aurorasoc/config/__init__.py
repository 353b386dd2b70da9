"""What the process was told: the environment's settings, and the types everyone above reads."""

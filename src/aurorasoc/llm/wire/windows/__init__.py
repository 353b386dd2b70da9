"""How much a model reads: its context window, and what a text costs of it."""

"""How much is used, by whom, and what it costs."""

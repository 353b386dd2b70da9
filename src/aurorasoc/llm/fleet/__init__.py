"""How processes learn of changes, and report what they run."""

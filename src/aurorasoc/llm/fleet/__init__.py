"""How processes hear of changes, and report what they run."""

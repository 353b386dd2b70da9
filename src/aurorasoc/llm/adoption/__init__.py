"""How a snapshot comes into force: stored rows, composed and swapped in."""

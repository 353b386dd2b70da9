"""How a call leaves, and how its bytes come back: our client, bounded."""

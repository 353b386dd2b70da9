"""Live models from a snapshot."""

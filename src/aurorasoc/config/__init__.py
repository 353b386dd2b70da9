"""Settings read from the environment, and the types that every layer above uses."""

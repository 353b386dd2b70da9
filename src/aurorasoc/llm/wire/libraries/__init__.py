"""The model libraries, held: their import, their network, their environment, their tables."""

"""The layer that all others use: database, keys, audit log, principals."""

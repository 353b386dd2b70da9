"""Maintain stored keys: rotation, migration, the Vault watch, the doctor."""

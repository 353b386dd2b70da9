"""A real Vault, the faults between it and us, and the Kubernetes that it asks about tokens."""

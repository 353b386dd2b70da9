"""How the configuration changes: one transaction for row, key, audit entry and revision."""

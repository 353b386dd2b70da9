"""What everything stands on: database, keys, audit log, principals."""

"""Budgets: what was spent, what is reserved, and who may spend more (docs/decisions/053)."""

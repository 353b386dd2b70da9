"""An investigation: a plan, specialists side by side, a report; each step stored as it ends."""

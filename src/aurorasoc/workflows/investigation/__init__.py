"""An investigation: a plan, specialists in parallel, a report; each step stored as it ends."""

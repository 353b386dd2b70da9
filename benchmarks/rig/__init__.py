"""What the measurements stand on: a stage, pairs of runs, rows of results."""

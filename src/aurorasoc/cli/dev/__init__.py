"""`aurorasoc dev`: a first run that works, and the processes behind it."""

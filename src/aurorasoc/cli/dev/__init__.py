"""`aurorasoc dev`: a first run that answers, and the machinery that it stands on."""

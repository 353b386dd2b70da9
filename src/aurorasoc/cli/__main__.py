"""`python -m aurorasoc.cli`."""

from aurorasoc.cli import main

main()

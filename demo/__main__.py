"""`python -m demo`: run the tour."""

import sys

import typer

from aurorasoc.errors import ConfigurationError
from demo.tour import demo

if __name__ == "__main__":
    try:
        typer.run(demo)
    except ConfigurationError as error:
        sys.stderr.write(f"demo: {error.detail}\n")
        sys.exit(2)

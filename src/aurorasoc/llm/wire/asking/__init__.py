"""What a call asks: its messages and options, and which of them a model takes."""

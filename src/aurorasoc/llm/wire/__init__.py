"""One call to one vendor: what was sent, what came back."""

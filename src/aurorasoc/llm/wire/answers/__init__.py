"""What came back from a call, as a typed value."""

"""What went wrong with a call: a vendor's words, read into one of our errors."""

"""From what was configured to a live ChatModel."""

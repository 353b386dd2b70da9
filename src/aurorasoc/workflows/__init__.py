"""What models are used for: chat, and investigations."""

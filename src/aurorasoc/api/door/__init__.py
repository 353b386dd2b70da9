"""OpenAI's protocol: what comes in, what goes out, and how errors look."""

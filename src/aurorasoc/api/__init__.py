"""REST: routers, who may call them, and what errors look like."""

"""Requests that come in: connections, hosts and origins, bodies, and refusals of them."""

"""The REST API: routers, authorisation, and errors."""

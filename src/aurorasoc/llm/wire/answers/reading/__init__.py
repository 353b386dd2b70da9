"""Reads a vendor's own fields into a `Reading`: one module for each wire format.

Nothing here imports litellm, or trusts a field to have its documented type.
"""

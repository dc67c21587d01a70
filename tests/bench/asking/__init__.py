"""Requests a second through the curator, and through what others would use for the same."""

"""Looks for inputs that break what reads a user's files or a service's replies."""

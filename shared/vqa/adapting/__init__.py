"""Adapters on a base: applied with proof that they took, or refused."""

"""Campaigns of the curator under fire."""

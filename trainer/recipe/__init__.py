"""A run's settings: every field, its default and its bounds."""

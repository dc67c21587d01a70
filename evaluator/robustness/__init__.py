"""Robustness: the same questions asked of changed pictures, or in other words."""

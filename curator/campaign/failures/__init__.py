"""Whose fault failures in a row are, and what follows: wait, try again, or give up."""

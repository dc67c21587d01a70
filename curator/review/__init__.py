"""People look at pairs: what they see, what they are handed, and what is known after it."""

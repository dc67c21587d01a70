"""One fine-tuning run: from a recipe to an adapter folder."""

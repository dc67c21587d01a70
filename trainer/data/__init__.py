"""What a run sees: pairs with splits, batches, pictures and their features."""

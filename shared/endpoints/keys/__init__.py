"""Keys as people give them, and the limits that they have."""

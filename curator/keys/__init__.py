"""Keys as people give them, the limits that they have, and the models that they are for."""

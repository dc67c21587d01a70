"""Who answers a run: replicas of a model, or a model behind an address."""

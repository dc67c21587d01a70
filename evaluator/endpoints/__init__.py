"""Models behind an address: they answer shards as replicas do, with neither Ray nor torch."""

"""Requests in batch jobs: their files, the ids that replies must name, and the service itself."""

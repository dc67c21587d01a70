"""The models that read answers, for metrics that need some."""

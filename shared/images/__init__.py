"""Pictures: the one place that reads them, and where they lie."""

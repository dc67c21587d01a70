"""A run's folder, and how it comes about; resumable."""

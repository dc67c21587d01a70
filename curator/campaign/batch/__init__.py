"""Batch jobs of a campaign: filled from its queue, watched for hours or days, and settled."""

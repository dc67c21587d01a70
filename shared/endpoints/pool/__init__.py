"""Whose turn it is: leases of keys, within their projects' quotas."""

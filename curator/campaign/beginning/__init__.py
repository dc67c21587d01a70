"""Before the first request: inputs are checked, keys looked at, listings taken in."""

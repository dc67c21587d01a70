"""People at a ledger: what they look at, what they are handed, and what they decide."""

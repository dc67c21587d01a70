"""One module for each version of the ledger, oldest first."""

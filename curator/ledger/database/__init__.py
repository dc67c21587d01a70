"""The ledger's file: its tables, versions and lock, and how it is reached."""

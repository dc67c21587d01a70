"""Commands of a campaign: its options, the file that has them, what it would take, the run."""

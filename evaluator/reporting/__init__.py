"""The report: one page about one or several runs; ``page`` writes it."""

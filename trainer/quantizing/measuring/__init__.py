"""Measuring what rounding loses: the questions, the network that is asked, the figures on disk."""

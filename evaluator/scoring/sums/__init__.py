"""What rows of scores are summed into before they are figures: columns, tallies, intervals."""

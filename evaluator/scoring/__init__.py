"""From rows of answers to a scorecard."""

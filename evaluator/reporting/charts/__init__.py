"""The charts of a report, as shapes that its templates draw."""

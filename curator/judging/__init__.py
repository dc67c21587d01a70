"""From a reply's text to accepted pairs; pure."""

"""Questions as texts: what makes two of them the same question, without torch."""

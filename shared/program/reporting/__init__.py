"""What a program tells while it works: events, where they go, and progress."""

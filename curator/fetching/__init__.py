"""Fetches the pictures that a catalogue names by URL, within limits; goes on where it stopped."""

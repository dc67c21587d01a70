"""Finds below the images folder what a catalogue names: files by path, by URL and by id."""

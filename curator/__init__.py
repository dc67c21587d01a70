"""Curator: fills a VQA data set out of a catalogue through a pool of Gemini keys."""

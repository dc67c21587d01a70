"""Trainer: turns a data set into a LoRA adapter on a 4-bit base."""

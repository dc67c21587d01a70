"""Adapters into bases: merged, or fused of several domains."""

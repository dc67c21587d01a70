"""What `make bench` measures: ratios side by side, in one run, on the same rows."""

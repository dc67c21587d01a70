"""What is typed after `trainer`: one file a command, its options in `options.py`."""

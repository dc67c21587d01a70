"""What is typed after `curator`: one file a command, its options in `options.py`."""

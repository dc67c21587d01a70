"""What is typed after `evaluator`: one file a command or two, shared options in `options.py`."""

"""Pages that are made of the code: commands, files, metrics, exit codes and log events."""

"""What every command needs: options, exit codes, logs, progress, time, signals."""

"""What a command line has beside its commands' own work: help, verbosity, what comes next."""

"""When a model is sure enough: fitted on one run, checked on another."""

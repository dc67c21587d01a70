"""What models are called: by users, by hubs, in files that others read."""

"""What the server answers over HTTP: each door turns requests of one kind into rulings."""

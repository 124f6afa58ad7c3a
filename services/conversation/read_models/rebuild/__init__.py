"""Read models made again from the commits, while the service goes on: each by its name, one way."""

"""The one command: serve a part, start the whole, look after it."""

"""The rules of the directory: what is asked for becomes events, events make the state."""

"""The rules of the directory: what is asked for becomes facts, facts make the state."""

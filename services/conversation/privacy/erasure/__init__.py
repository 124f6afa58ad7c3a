"""Forgetting a person: what is done to the last trace of them, and how far each erasure is."""

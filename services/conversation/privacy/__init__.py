"""What is personal is stored sealed: with whose key, in which box, and how it is opened again."""

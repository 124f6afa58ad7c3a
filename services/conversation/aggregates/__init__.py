"""The service's types of aggregate: what each is to the world and to its read models."""

"""What a member does to a conversation or a customer: a file a family of rules."""

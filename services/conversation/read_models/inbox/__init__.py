"""The inbox as members see it: its tabs, their pages and counts, and what is often asked of it."""

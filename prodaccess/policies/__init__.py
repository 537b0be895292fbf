"""The policy file: read, checked, explained, and served to those who decide by it."""

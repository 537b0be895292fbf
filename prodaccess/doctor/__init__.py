"""`prodaccess doctor`: everything that an operator gets wrong, and what to do about it."""

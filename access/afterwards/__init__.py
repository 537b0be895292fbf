"""What is done after the fact: decisions judged again out of the log, and people's words erased on purpose."""

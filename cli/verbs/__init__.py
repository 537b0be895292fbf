"""One file for each verb, all of the same shape: ABOUT, EXAMPLES, `arguments(parser)` and `run(args) -> exit code`."""

"""Figures that we promise, each against a floor measured in the same run: `python -m benchmarks NAME`."""

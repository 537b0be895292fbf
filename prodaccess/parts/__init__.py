"""Real servers on this machine for the demo and the tests: OpenBao, PostgreSQL and a stand-in for AWS."""

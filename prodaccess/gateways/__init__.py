"""The gateways as the settings give them, and `prodaccess gateway`, which runs them alone."""

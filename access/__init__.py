"""The rules of temporary access: pure values and decisions, standard library only, no I/O except by awaiting a port."""

"""The audit log of this installation: its keys and witnesses, and the server's side of `prodaccess audit`."""

"""The issuers held against the grants: by the server every few minutes, and by `prodaccess reconcile`."""

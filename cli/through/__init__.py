"""Through a gateway: a pass bound to a key in memory, and what stands between a tool and the gateway."""

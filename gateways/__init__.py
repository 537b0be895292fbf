"""Where recorded sessions pass through: one admission and one life of a session, whatever the protocol."""

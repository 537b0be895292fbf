"""The ticket systems: one file each, the same shape each (`tickets.system.System`). They are only ever read."""

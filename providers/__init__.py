"""The issuers: one file each, the same shape each (`access.ports.Provider`)."""

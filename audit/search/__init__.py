"""Searching the audit log: projections of its entries, filled behind it, droppable, and derivable again."""

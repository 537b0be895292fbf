"""From an ask to its decision: requests, who is called to them, votes; prolonging, and breaking the glass."""

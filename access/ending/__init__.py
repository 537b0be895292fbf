"""How access ends: at its deadline, by somebody, with the right to it; and what stands at an issuer unaccounted for."""

"""How values are read out of their rows: one file for each kind of thing that is asked for."""

AT_ONCE = 500  # parameters of one IN list

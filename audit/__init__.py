"""The witness: every fact of the control plane, in order, written in the transaction of the state it describes."""

"""Sample calls, a line for each function: what a call is, is then found by probing it."""

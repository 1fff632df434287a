"""How a program runs.  Imports ir."""

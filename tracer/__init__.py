"""How NumPy code becomes a program.  Imports ir, and backends through their protocol alone."""

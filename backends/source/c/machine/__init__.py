"""The machine at hand: its compiler, where compiled programs are kept, and its threads."""

"""What a program is.  Imports nothing of ours but itself."""

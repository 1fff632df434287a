"""Loops over elements, as text."""

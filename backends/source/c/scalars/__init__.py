"""What stands within a loop: statements on numbers, and the functions that they call."""

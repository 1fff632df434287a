"""Generated programs: what the printers of Python and C share."""

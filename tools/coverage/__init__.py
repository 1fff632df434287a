"""What of NumPy can be traced and differentiated: a table in which every mark is measured."""

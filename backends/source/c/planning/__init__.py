"""What is computed in which loop, where it is kept, and what is never kept at all."""

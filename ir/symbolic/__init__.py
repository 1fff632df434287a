"""Programs for any size: named sizes, schemas of graphs in them, and how these are found from graphs of some sizes."""

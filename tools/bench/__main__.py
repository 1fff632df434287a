"""`python -m wengert.tools.bench`."""

from wengert.tools.bench.command import main

main()

"""What the derivative is where calculus leaves a choice, or where arithmetic would go astray: one table.

The laws (``tests/laws/test_conventions.py``) hold every backend to each row in both modes, and
``wengert conventions --write docs/conventions.md`` prints them for people.
"""

from wengert.tools.conventions import arrays, kinks, markdown, orders, poles, scales, topics, zeros
from wengert.tools.conventions.row import Behaviour, Row

__all__ = ["BEHAVIOUR", "CHAPTERS", "ROWS", "Behaviour", "Row", "page"]

#: A chapter's title, what it says in short, and its rows.
CHAPTERS: tuple[tuple[str, str, tuple[Row, ...]], ...] = (
    ("Kinks and steps", kinks.TEXT, kinks.ROWS),
    ("Poles, and outside the domain", poles.TEXT, poles.ROWS),
    ("Powers", poles.POWER_TEXT, poles.POWER_ROWS),
    ("Far out, and where a formula cancels", scales.TEXT, scales.ROWS),
    ("Nothing flows along an edge that carries nothing", zeros.TEXT, zeros.ROWS),
    ("Over axes, and by index", arrays.TEXT, arrays.ROWS),
    ("Smooth points: higher orders, whole programs", orders.TEXT, orders.ROWS),
    ("Linear algebra", topics.LINALG_TEXT, topics.LINALG_ROWS),
    ("Complex numbers", topics.COMPLEX_TEXT, topics.COMPLEX_ROWS),
    ("Special functions and statistics", topics.SPECIAL_TEXT, topics.SPECIAL_ROWS),
)
ROWS: tuple[Row, ...] = tuple(row for _, _, rows in CHAPTERS for row in rows)
BEHAVIOUR: tuple[Behaviour, ...] = topics.BEHAVIOUR


def page() -> str:
    """The table as docs/conventions.md has it."""
    return markdown.page(CHAPTERS, BEHAVIOUR)

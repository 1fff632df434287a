"""The rows as a picture: how many times as long as C by hand each takes."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

from wengert.tools.bench.entry import PEERS
from wengert.tools.bench.page import TITLES, median, titled

__all__ = ["svg"]

COLOURS = {"c": "#d62728", "numpy": "#ff9896", "python": "#f7c6a3", "hand-numpy": "#222222", "jax": "#1f77b4",
           "torch": "#9467bd", "casadi": "#2ca02c", "pytensor": "#8c564b", "autograd": "#17becf"}  # fmt: skip
CAPTION = "Value and derivative: times as long as C by hand (all threads)"
LEFT, WIDTH, STEP, TOP = 330, 620, 26, 60


def svg(results: dict[str, Any]) -> str:
    """One line per row, one mark per name, on a logarithmic axis; wengert's are squares, the others discs."""
    ratios = {
        row: {name: x for name, its in found.items()
              if name in COLOURS and not math.isnan(x := median(its) / median(found.get("hand-c")))}
        for row, found in results.items()
    }
    every = [x for its in ratios.values() for x in its.values()]
    if not every:
        return ""
    low, high = math.floor(math.log10(min([1.0, *every]))), math.ceil(math.log10(max([10.0, *every])))
    place = lambda x: LEFT + WIDTH * (math.log10(x) - low) / (high - low)
    height = TOP + STEP * len(ratios) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 30}" height="{height}"',
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{CAPTION}</text>',
    ]
    x = LEFT
    for name in (name for name in COLOURS if any(name in its for its in ratios.values())):
        parts += [_mark(name, x, 36), f'<text x="{x + 9}" y="40">{escape(titled(name))}</text>']
        x += 20 + 7 * len(titled(name))
    for power in range(low, high + 1):
        at = place(10.0**power)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{height - 30}" '
                     f'stroke="{"#888" if power == 0 else "#ddd"}"/>')  # fmt: skip
        parts.append(f'<text x="{at:.1f}" y="{height - 12}" text-anchor="middle">{10.0**power:g}</text>')
    for i, (row, its) in enumerate(ratios.items()):
        y = TOP + STEP * (i + 0.6)
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(TITLES[row][:52])}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#f0f0f0"/>')
        parts += [_mark(name, place(r), y) for name, r in its.items()]
    return "\n".join([*parts, "</svg>\n"])


def _mark(name: str, x: float, y: float) -> str:
    tip = f"<title>{escape(titled(name))}</title>"
    if name in PEERS or name.startswith("hand"):
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{COLOURS[name]}" fill-opacity="0.8">{tip}</circle>'
    return (f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="{COLOURS[name]}" '
            f'fill-opacity="0.9">{tip}</rect>')  # fmt: skip

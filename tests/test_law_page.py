"""docs/laws.md is of the laws and the chapters that there are."""

from pathlib import Path

from wengert.ir.ops import CHAPTERS

ROOT = Path(__file__).parent.parent


def test_page_has_them_all():
    page = (ROOT / "docs" / "laws.md").read_text()
    missing = [c for c in CHAPTERS if f"| {c.replace('_', ' ')} " not in page]
    missing += [path.stem for path in (ROOT / "tests" / "laws").glob("test_*.py") if f"`{path.stem}`" not in page]
    assert missing == [], "run `make laws`"

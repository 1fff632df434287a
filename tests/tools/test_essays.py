"""The essays are programs: every example in docs/essays.md is run, section by section."""

import doctest
import re
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "docs" / "essays.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections():
    """The examples before the first heading, and those of each section by its title."""
    preface, *rest = re.split(r"^## ", PATH.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return examples(preface), {text.partition("\n")[0]: examples(text) for text in rest}


def examples(text):
    return "\n".join(BLOCK.findall(text))


PREFACE, SECTIONS = sections()


@pytest.mark.parametrize("title", SECTIONS)
def test_the_examples_say_the_truth(title):
    parsed = doctest.DocTestParser().get_doctest(
        f"{PREFACE}\n{SECTIONS[title]}", {"__name__": "essays"}, title, str(PATH), None
    )
    report = []
    results = doctest.DocTestRunner(verbose=False).run(parsed, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted > 2


def test_no_example_is_left_out():
    text = PATH.read_text(encoding="utf-8")
    run = PREFACE + "".join(SECTIONS.values())
    assert len(SECTIONS) == 5
    assert run.count(">>> ") == text.count(">>> ")

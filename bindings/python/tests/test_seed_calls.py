"""The table of the seeds' calls in bindings/README.md: the tests that it names exist."""
import re

import pytest

from conftest import ROOT

BINDINGS = ROOT / "bindings"
TEXT = (BINDINGS / "README.md").read_text("utf-8").partition("## The seeds' calls")[2]
TITLES = re.findall(r"^### (.*)", TEXT, re.M)
SECTIONS = dict(zip(TITLES, re.split(r"^### .*", TEXT, flags=re.M)[1:]))


def rows(section):
    """The cells of a section's table, without its two rows of heading."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@pytest.mark.parametrize("name", SECTIONS)
def test_every_call_of_the_table_has_a_test_that_exists(name):
    table = rows(SECTIONS[name])
    assert table
    for call, *_, tests in table:
        named = re.findall(r"`([^`:]+)::(\w+)`", tests)
        assert named, f"{call}: no test is named"
        for path, function in named:
            source = (BINDINGS / path).read_text("utf-8")
            assert re.search(rf"\b{function}\b\s*\(", source), f"{call}: {path}::{function}"

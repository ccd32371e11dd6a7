"""Every claim of docs/threats.md has its adversarial test, and every adversarial test its claim."""

import re

import pytest

from docs_support import ROOT

TEXT = (ROOT / "docs" / "threats.md").read_text()
CLAIMS = [int(number) for number in re.findall(r"^### C(\d+)\. ", TEXT, re.MULTILINE)]
LIMITS = [int(number) for number in re.findall(r"^\*\*L(\d+)\. ", TEXT, re.MULTILINE)]


def test_numbers_are_in_order():
    assert CLAIMS == list(range(1, len(CLAIMS) + 1)) and len(CLAIMS) >= 14
    assert LIMITS == list(range(1, len(LIMITS) + 1)) and len(LIMITS) >= 10


@pytest.mark.parametrize("number", CLAIMS)
def test_claim_has_a_test(number):
    section = re.search(rf"^### C{number}\. .*?(?=^##)", TEXT, re.MULTILINE | re.DOTALL)[0]
    pattern = f"test_c{number:02}_*.py"
    assert f"Tested by `tests/adversarial/{pattern}`" in " ".join(section.split())
    files = list((ROOT / "tests" / "adversarial").glob(pattern))
    assert files, f"no tests/adversarial/{pattern}"
    for path in files:
        assert re.search(r"^def test_", path.read_text(), re.MULTILINE), f"{path.name} tests nothing"


def test_every_adversarial_test_has_a_claim():
    for path in (ROOT / "tests" / "adversarial").glob("test_*.py"):
        match = re.match(r"test_c(\d\d)_\w+\.py$", path.name)
        assert match and int(match[1]) in CLAIMS, path.name


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name)
def test_references_to_claims_and_limits(path):
    text = path.read_text()
    for letter, known in (("C", CLAIMS), ("L", LIMITS)):
        for number in re.findall(rf"\b{letter}(\d+)\b", text):
            assert int(number) in known, f"{path.name} speaks of {letter}{number}"

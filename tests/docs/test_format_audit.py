"""The audit log's vectors, its specification and the independent reader agree; the C test checks the same table."""

import re
import subprocess
import sys

import pytest

from docs_support import ROOT

VECTORS = ROOT / "tests/vectors/audit"
READER = ROOT / "tests/vectors/read_audit.py"
ROWS = [row.split(" | ") for row in (VECTORS / "expected.txt").read_text().splitlines()[1:]]


@pytest.mark.parametrize("name, anchor, expected", ROWS)
def test_independent_reader(name, anchor, expected):
    arguments = [] if anchor == "-" else ["--anchor", anchor]
    result = subprocess.run([sys.executable, READER, *arguments, VECTORS / name], capture_output=True, text=True)
    assert (result.stdout, result.returncode) == (expected + "\n", 0 if expected.startswith("ok") else 1)


def test_every_vector_has_a_row():
    assert {name for name, _, _ in ROWS} | {"expected.txt"} == {path.name for path in VECTORS.iterdir()}


def test_every_kind_is_specified():
    """Those that the engine writes by their whole name, and those of a run, which are made of its action."""
    page = (ROOT / "docs/format-audit.md").read_text()
    kinds = set()
    for path in (ROOT / "src/engine").glob("*.c"):
        for call in re.findall(r"(?:_commit|audit_append)\((.*?);", path.read_text(), re.DOTALL):
            kinds |= set(re.findall(r'"([a-z]+\.[a-z]+)"', call))
    assert {"broker.lock", "secret.set", "unlock.failed", "policy.import"} <= kinds
    kinds |= {f"{action}.{what}" for action in ("run", "inject", "pipe") for what in ("intent", "denied")}
    named = set(re.findall(r"`([a-z.]+)`", "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| "))))
    assert kinds <= named, kinds - named


def test_every_reason_is_specified():
    """Each sentence stands in docs/format-audit.md, with F for names of files and N for numbers."""
    page = (ROOT / "docs/format-audit.md").read_text()
    for _, _, expected in ROWS:
        if expected.startswith("damaged: "):
            reason = re.sub(r"^damaged: (record \d+ \(.*\): )?", "", expected)
            assert f"`{re.sub('[0-9]+', 'N', re.sub(r'audit[-0-9]*.jsonl', 'F', reason))}`" in page

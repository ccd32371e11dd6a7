"""Damaged files, through the program: a defined error or the same data; never a crash, never a wrong value."""

import pytest


@pytest.mark.parametrize("name, status", [("vault.db", 6), ("audit.jsonl", 6)])
def test_an_emptied_file(vault, name, status):
    (vault.dir / name).write_bytes(b"")
    vault.run("audit", "verify", status=status)
    vault.run("run", "-s", "API_TOKEN", "--", "/bin/true", status=125)

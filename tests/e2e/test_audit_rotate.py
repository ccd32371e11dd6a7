"""Rotation carries the chain on, and `audit accept` goes on from a log that was lost, cut or changed."""

import pytest

from audit_support import forged, kinds, lines_of, refused


def test_rotate(vault):
    before = kinds(vault)
    for round in range(1, 4):
        vault.ok("audit", "rotate")
        vault.ok("tag", "API_TOKEN", "--add", f"t{round}")
    assert kinds(vault) == before + ["secret.tag"] * 3
    report = vault.check()
    assert (report["files"], report["records"], report["unanchored"]) == (4, len(before) + 3, 0)
    assert sorted(path.name for path in vault.dir.glob("audit-*.jsonl")) == [f"audit-{first:020}.jsonl" for first in (1,
        5, 6)]
    assert kinds(vault, "--secret", "API_TOKEN") == ["secret.set"] + ["secret.tag"] * 3
    vault.ok("audit", "rotate", "--json").json()
    vault.ok("run", "-s", "API_TOKEN", "--", "true")
    assert vault.check()["ok"]


@pytest.mark.parametrize("harm, says", [
    (lambda path: path.unlink(), "is missing"), (lambda path: path.write_bytes(b""), "ends before the record"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), "ends in the middle"),
    (lambda path: path.write_bytes(path.read_bytes().replace(b"API_TOKEN", b"API_TOKEX", 1)), "hash does not match")],
    ids=["gone", "empty", "cut", "changed"])
def test_harm_to_a_rotated_file(vault, harm, says):
    vault.ok("audit", "rotate")
    vault.ok("tag", "API_TOKEN", "--add", "x")
    vault.ok("audit", "rotate")
    vault.ok("tag", "API_TOKEN", "--add", "y")
    harm(vault.dir / f"audit-{5:020}.jsonl")
    refused(vault, says)
    refused(vault, says, options=())


def test_accept_wants_a_reason_an_answer_and_the_passphrase(vault):
    result = vault.run("audit", "accept", "--yes", status=1)
    assert "nothing to accept" in result.talk
    vault.log.write_bytes(b"".join(lines_of(vault)[:2]))
    before = vault.files()
    assert "--yes" in vault.run("audit", "accept", status=2).talk
    vault.run("audit", "accept", "--yes", passphrase=False, status=4)
    assert {name: data for name,
            data in vault.files().items() if name == "audit.jsonl"} == {"audit.jsonl": before["audit.jsonl"]}


@pytest.mark.parametrize("harm", ["cut", "gone", "changed", "changed early", "rewritten", "old vault"])
def test_accept_goes_on(vault, harm):
    lines = lines_of(vault)
    if harm == "cut":
        vault.log.write_bytes(b"".join(lines[:2]))
    elif harm == "gone":
        vault.log.unlink()
    elif harm == "changed":
        vault.log.write_bytes(b"".join(lines).replace(b"deploy-key", b"deploy-kex"))
    elif harm == "changed early":
        vault.log.write_bytes(b"".join(lines).replace(b"API_TOKEN", b"API_TOKEX"))
    elif harm == "rewritten":
        vault.log.write_bytes(b"".join([*lines[:-1], forged(lines[-1], secret="OTHER")]))
    else:
        old = vault.database.read_bytes()
        vault.ok("tag", "API_TOKEN", "--add", "x")
        vault.ok("tag", "API_TOKEN", "--add", "y")
        for path in vault.dir.glob("vault.db-*"):
            path.unlink()
        vault.database.write_bytes(old)
    # A run looks at the anchored record and at what is behind it; the whole log is for `audit verify`.
    vault.run("run", "-s", "API_TOKEN", "--", "true", status=0 if harm == "changed early" else 125)
    count = len(lines_of(vault)) if harm == "changed early" else 4
    vault.run("audit", "verify", status=6)
    vault.ok("audit", "accept", "--yes")
    record = vault.records()[-1]
    assert record["kind"] == "audit.accept" and record["found"]
    assert record["expected_count"] == count and len(record["expected_hash"]) == 64
    # The evidence of a broken chain is kept.
    aside = list(vault.dir.glob("audit-aside-*"))
    assert len(aside) == harm.startswith("changed")
    vault.ok("run", "-s", "API_TOKEN", "--", "true")
    assert vault.check()["unanchored"] == 0

"""Damaged and foreign files in the place of audit.jsonl, through the program."""

import json

import pytest

from damage_support import FLIPS, Patient, ask, run_prints_hash, verifies
from envseal_support import seeded


@pytest.fixture
def patient(original, tmp_path):
    return Patient(original, tmp_path)


def test_flipped_bits(patient):
    """No bit of the log may change. A run looks at its end only, from the record on that the vault is anchored to."""
    for number, bit in enumerate(patient.flips("audit.jsonl", seeded("bits of audit.jsonl"), FLIPS)):
        assert not verifies(patient.vault), bit
        if number % 5 == 0:
            run_prints_hash(patient.vault)


def test_flipped_bits_of_the_last_record(patient):
    content = patient.content("audit.jsonl")
    begin = content.rstrip(b"\n").rindex(b"\n") + 1
    for offset in range(begin, len(content), (len(content) - begin) // 20):
        patient.replace("audit.jsonl", content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1:])
        assert not run_prints_hash(patient.vault), offset


def test_cut_everywhere(patient):
    for length in patient.cuts("audit.jsonl"):
        assert not verifies(patient.vault), length
        assert not run_prints_hash(patient.vault), length


def test_cut_between_records(patient):
    lines = patient.content("audit.jsonl").splitlines(keepends=True)
    for count in range(len(lines)):
        patient.replace("audit.jsonl", b"".join(lines[:count]))
        assert not run_prints_hash(patient.vault), count
        result = patient.vault.run("audit", "verify", status=6)
        assert str(count) in result.out.decode() + result.talk
        patient.vault.run("set", "NEW", "--generate", "20", status=6)


@pytest.mark.parametrize("content", [
    b"", b"\n", b"\n\n\n", b"{}\n", b"[]\n", b"null\n", b"{\n", b"[" * 100000 + b"\n", b'{"a":' * 50000 + b"\n",
    b"\0" * 4096, b"\xff" * 4096, b"PK\x03\x04" + b"z" * 4096, b"x" * (1 << 20), b"x\n" * 100000, b'{"seq":1}\n' * 1000],
    ids=["empty", "newline", "newlines", "object", "array", "null", "open", "deep-array", "deep-object", "zeros", "ones",
         "zip", "long-line", "many-lines", "same"])
def test_a_foreign_file(patient, content):
    patient.replace("audit.jsonl", content)
    assert not ask(patient.vault)
    patient.vault.run("audit", "verify", status=6)
    patient.vault.run("set", "NEW", "--generate", "20", status=6)


def test_a_missing_log(patient):
    patient.restore()
    patient.vault.log.unlink()
    assert not ask(patient.vault)
    patient.vault.run("audit", "verify", status=6)


def test_a_record_of_a_newer_format(patient):
    lines = patient.content("audit.jsonl").splitlines(keepends=True)
    for name in json.loads(lines[-1]):
        record = json.loads(lines[-1])
        record[name] = record[name] + 1 if isinstance(record[name], int) else "changed"
        changed = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        patient.replace("audit.jsonl", b"".join(lines[:-1]) + changed)
        assert not run_prints_hash(patient.vault), name
        patient.vault.run("audit", "verify", status=6)

"""Damaged and foreign files in the place of audit.jsonl, through the program."""

import json

import pytest

from damage_support import Patient, ask, cut_everywhere, flip_bits
from envseal_support import seeded


@pytest.fixture
def patient(original, tmp_path):
    return Patient(original, tmp_path)


def test_flipped_bits(patient):
    """There is no bit in the log that may change."""
    count = 150
    assert flip_bits(patient, "audit.jsonl", seeded("bits of audit.jsonl"), count) == count


def test_cut_everywhere(patient):
    assert cut_everywhere(patient, "audit.jsonl") == []


def test_cut_between_records(patient):
    lines = patient.content("audit.jsonl").splitlines(keepends=True)
    for count in range(len(lines)):
        assert not patient.ask_with("audit.jsonl", b"".join(lines[:count])), count
        result = patient.vault.run("audit", "verify", status=6)
        assert str(count) in result.out.decode() + result.talk
        patient.vault.run("set", "NEW", "--generate", "20", status=6)


@pytest.mark.parametrize("content", [
    b"", b"\n", b"\n\n\n", b"{}\n", b"[]\n", b"null\n", b"{\n", b"[" * 100000 + b"\n", b'{"a":' * 50000 + b"\n", b"\0" * 4096,
    b"\xff" * 4096, b"PK\x03\x04" + b"z" * 4096, b"x" * (1 << 20), b"x\n" * 100000, b'{"seq":1}\n' * 1000],
    ids=["empty", "newline", "newlines", "object", "array", "null", "open", "deep-array", "deep-object", "zeros", "ones", "zip",
         "long-line", "many-lines", "same"])
def test_a_foreign_file(patient, content):
    assert not patient.ask_with("audit.jsonl", content)
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
        assert not patient.ask_with("audit.jsonl", b"".join(lines[:-1]) + changed), name
        patient.vault.run("audit", "verify", status=6)

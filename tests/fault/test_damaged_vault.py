"""Damaged and foreign files in the place of vault.db, through the program."""

import io
import sqlite3
import zipfile

import pytest

from damage_support import FLIPS, Patient, ask, assert_defined, run_prints_hash
from envseal_support import SECRETS, seeded


@pytest.fixture
def patient(original, tmp_path):
    return Patient(original, tmp_path)


def test_flipped_bits(patient):
    """Names and metadata are not verified when they are listed; a value never reaches a program changed."""
    refused = 0
    for _ in patient.flips("vault.db", seeded("bits of vault.db"), FLIPS):
        assert_defined(patient.vault.run("list", "--json"), (0, 6))
        refused += not run_prints_hash(patient.vault)
    assert refused > 0


def test_flipped_bits_are_answered_by_every_command(patient):
    commands = [["audit", "verify"], ["verify", "API_TOKEN"], ["rename", "API_TOKEN", "NEW"], ["doctor"],
                ["history", "API_TOKEN"], ["set", "NEW", "--generate", "20", "--locked"], ["show", "API_TOKEN"],
                ["rm", "API_TOKEN", "--yes"]]
    for number, _ in enumerate(patient.flips("vault.db", seeded("bits for every command"), 5 * len(commands))):
        command = commands[number % len(commands)]
        passphrase = "--locked" not in command
        result = patient.vault.run(*command, input=SECRETS["API_TOKEN"], passphrase=passphrase)
        if command == ["doctor"]:
            assert result.status in (0, 1), result
        else:
            assert_defined(result, (0, 1, 5, 6))
        assert command[0] != "verify" or result.out in (b"", b"yes\n"), result


def test_cut_everywhere(patient):
    """Where only pages are missing that a list does not read, it is the same list."""
    whole = patient.original.ok("list", "--json").out
    for length in patient.cuts("vault.db"):
        listed = patient.vault.run("list", "--json")
        assert_defined(listed, (0, 6))
        assert listed.out in (b"", whole), length
        assert length % 256 != 0 or not run_prints_hash(patient.vault), length


def zip_file():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("vault.db", b"text" * 1000)
    return content.getvalue()


@pytest.mark.parametrize("content", [
    b"", b"\n", b"not a vault\n" * 1000, zip_file(), bytes(1 << 20), b"SQLite format 3\0" + b"\xff" * 8176,
    b"\x7fELF" * 2000],
    ids=["empty", "newline", "text", "zip", "zeros", "header", "elf"])
def test_a_foreign_file(patient, content):
    patient.replace("vault.db", content)
    assert not ask(patient.vault)
    result = patient.vault.run("list", status=6)
    assert str(patient.vault.database) in result.talk
    assert patient.vault.run("set", "NEW", "--generate", "20", status=6).out == b""
    patient.vault.run("init", "--pwhash", "interactive", status=1)
    assert patient.vault.database.read_bytes() == content


def test_a_database_of_something_else(patient):
    patient.restore()
    patient.vault.database.unlink()
    with sqlite3.connect(patient.vault.database) as other:
        other.execute("CREATE TABLE row(name TEXT, body BLOB)")
        other.execute("INSERT INTO row VALUES('API_TOKEN', x'00')")
    other.close()
    patient.vault.database.chmod(0o600)
    assert not ask(patient.vault)
    patient.vault.run("list", status=6)


@pytest.mark.parametrize("pragma", ["user_version", "application_id"])
@pytest.mark.parametrize("change", [1, -1, 1000])
def test_another_format(patient, pragma, change):
    patient.restore()
    with sqlite3.connect(patient.vault.database) as database:
        now, = database.execute(f"PRAGMA {pragma}").fetchone()
        database.execute(f"PRAGMA {pragma} = {now + change}")
    database.close()
    assert not ask(patient.vault)
    result = patient.vault.run("list", status=6)
    assert str(patient.vault.database) in result.talk
    if pragma == "user_version" and change > 0:
        assert "newer" in result.talk, result


@pytest.mark.parametrize("statement", [
    "CREATE TABLE more(x)", "CREATE INDEX more ON row(body)", "CREATE VIEW more AS SELECT * FROM row",
    "CREATE TRIGGER more AFTER INSERT ON row BEGIN DELETE FROM row; END", "DROP TABLE node", "DROP TABLE row",
    "DELETE FROM row", "DELETE FROM node", "UPDATE row SET body = zeroblob(length(body))", "UPDATE row SET digest = zeroblob(32)",
    "UPDATE node SET hash = zeroblob(32)"])
def test_a_changed_database(patient, statement):
    patient.restore()
    with sqlite3.connect(patient.vault.database) as database:
        database.execute(statement)
    database.close()
    assert not ask(patient.vault)


@pytest.mark.parametrize("name", ["vault.db-wal", "vault.db-shm", "vault.db-journal"])
@pytest.mark.parametrize("content", [b"", b"x", bytes(32768), b"\xff" * 40000,
                                     b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"j" * 4096],
                         ids=["empty", "byte", "zeros", "ones", "journal"])
def test_a_strange_companion(patient, name, content):
    patient.restore()
    path = patient.vault.dir / name
    path.touch(0o600)
    path.write_bytes(content)
    if ask(patient.vault):
        assert patient.vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])


def test_a_torn_write_ahead_log(patient):
    """The last change is in the log only, and the log is cut: the change is there whole, or the loss is seen."""
    patient.restore()
    vault = patient.vault
    reader = sqlite3.connect(vault.database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    vault.set("LATE", b"a value that came late")
    kept = vault.files()
    reader.close()
    content = kept["vault.db-wal"]
    for length in range(0, len(content), len(content) // 12):
        patient.restore()
        for name, part in (kept | {"vault.db-wal": content[:length]}).items():
            if name != "vault.db-shm":
                (vault.dir / name).touch(0o600)
                (vault.dir / name).write_bytes(part)
        run_prints_hash(vault)
        assert "LATE" in vault.names() or length < len(content)

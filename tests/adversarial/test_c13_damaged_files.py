"""C13: bad input ends in a defined error and loses nothing. Here: vaults and logs that are damaged, foreign or newer."""

import os
import shutil
import sqlite3

import pytest

from attack_support import log_read, log_write
from bad_input_support import RUN, SET, assert_nothing_lost, attempt, entries
from envseal_support import SECRETS, copy_vault, seeded

COMMANDS = [SET, RUN, ["list"], ["audit", "verify"]]
words_only = " ".join


@pytest.fixture
def listed(vault):
    return entries(vault)


def damaged(path, change):
    path.write_bytes(change(path.read_bytes()))


DAMAGES = {
    "empty": lambda data: b"", "one-byte": lambda data: data[:1], "half": lambda data: data[:len(data) // 2],
    "cut": lambda data: data[:-1], "longer": lambda data: data + b"\0" * 100, "noise": lambda data: os.urandom(len(data)),
    "zeros": lambda data: bytes(len(data)), "text": lambda data: b"not a vault, not a log\n" * 100,
    "head": lambda data: os.urandom(100) + data[100:], "doubled": lambda data: data + data}


@pytest.mark.parametrize("name", ["vault.db", "audit.jsonl"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(vault, listed, name, damage):
    good = (vault.dir / name).read_bytes()
    damaged(vault.dir / name, DAMAGES[damage])
    bad = (vault.dir / name).read_bytes()
    found = {words_only(words): attempt(vault, words).status for words in COMMANDS}
    # A vault with something behind its last page is a whole vault still, and a log with half a line behind its last one
    # is what a crash leaves. A run looks at the end of the log only, but the whole of it is never called sound.
    if damage != "longer" and (name, damage) != ("vault.db", "doubled"):
        assert found["audit verify"] == 6, found
        if (name, damage) != ("audit.jsonl", "head"):
            assert found[words_only(RUN)] == 125 and found[words_only(SET)] == 6, found
            assert (vault.dir / name).read_bytes() == bad
            (vault.dir / name).write_bytes(good)
            assert_nothing_lost(vault, listed)
    else:
        assert_nothing_lost(vault, listed)


def test_flipped_bits_of_the_vault(vault, listed):
    """At any place: an error of the table, or the very same data."""
    generator = seeded("flipped bits")
    good = vault.database.read_bytes()
    for _ in range(10):
        at, bit = generator.randrange(len(good)), 1 << generator.randrange(8)
        vault.database.write_bytes(good[:at] + bytes([good[at] ^ bit]) + good[at + 1:])
        for words in (["list"], ["inject", "-s", "API_TOKEN=F:file", "--", "/bin/sh", "-c", 'cat "$F"']):
            result = vault.run(*words)
            assert result.status in ({0, 6} if words[0] == "list" else {0, 125}), (at, bit, result)
            assert words[0] == "list" or result.out == (SECRETS["API_TOKEN"] if result.status == 0 else b""), (at, bit, result)
        for left in ("vault.db-wal", "vault.db-shm"):
            (vault.dir / left).unlink(missing_ok=True)
    vault.database.write_bytes(good)


def test_foreign_and_newer_vaults(vault, listed):
    good = vault.database.read_bytes()
    for statements in (["PRAGMA user_version = 2"], ["PRAGMA user_version = 2147483647"], ["PRAGMA user_version = 0"],
                       ["PRAGMA application_id = 1"], ["CREATE TABLE more(x)"],
                       ["CREATE TRIGGER t AFTER INSERT ON row BEGIN SELECT 1; END"],
                       ["DROP TABLE node"], ["DROP INDEX row_bucket"], ["DELETE FROM row"], ["DROP TABLE row"]):
        database = sqlite3.connect(vault.database, isolation_level=None)
        for statement in statements:
            database.execute(statement)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        assert attempt(vault, SET).status == 6, statements
        assert attempt(vault, RUN).status == 125, statements
        for path in vault.dir.glob("vault.db*"):
            path.unlink()
        vault.database.touch(0o600)
        vault.database.write_bytes(good)
    foreign = vault.base / "foreign.db"
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE bookmarks(url TEXT)")
    database.commit()
    database.close()
    shutil.copyfile(foreign, vault.database)
    before = vault.database.read_bytes()
    assert attempt(vault, SET).status == 6 and attempt(vault, ["init"]).status == 1
    assert vault.database.read_bytes() == before
    vault.database.write_bytes(good)
    assert_nothing_lost(vault, listed)


@pytest.mark.parametrize("line", ["", "{}", "null", "[" * 100_000, '{"seq":1}', "\xff\0", '{"seq":1e999}', "x" * 3_000_000],
                         ids=lambda line: repr(line[:10]))
def test_lines_in_the_log_that_are_none(vault, listed, line):
    good = log_read(vault)
    for at in (0, len(good)):
        log_write(vault, [*good[:at], line, *good[at:]])
        assert attempt(vault, ["audit", "verify", "--chain-only"], passphrase=False).status == 6, at
        assert at == 0 or attempt(vault, RUN).status == 125, at
    log_write(vault, good)
    assert_nothing_lost(vault, listed)


def test_files_that_are_not_there(vault, listed, tmp_path):
    for name, status in (("vault.db", 3), ("audit.jsonl", 6)):
        copy = copy_vault(vault, tmp_path / name)
        (copy.dir / name).unlink()
        for words in (SET, ["verify", "API_TOKEN"]):
            assert attempt(copy, words).status == status, (name, words)
        assert attempt(copy, RUN).status == 125
        assert not (copy.dir / "vault.db").exists() or name != "vault.db"
    assert_nothing_lost(vault, listed)

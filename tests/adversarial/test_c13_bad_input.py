"""C13: bad input ends in a defined error and loses nothing."""

import itertools
import os
import resource
import shutil
import sqlite3
import subprocess

import pytest

from attack_support import Sieve, log_read, log_write
from envseal_support import SECRETS, assert_nowhere, copy_vault, masked, seeded

VALUE = b"value-8sGj3Vn6Ty1Kd0Xw"
SIEVE = Sieve([VALUE, *SECRETS.values()])
DEFINED = {0, 1, 2, 3, 4, 5, 6}
DEFINED_OF_RUN = {0, 125}
SET = ["set", "NEW", "--stdin", "--force"]
RUN = ["run", "-s", "API_TOKEN", "--", "/bin/echo", "started"]
COMMANDS = [SET, RUN, ["list"], ["verify", "API_TOKEN"], ["audit", "verify"], ["audit", "show"]]
words_only = " ".join


def attempt(vault, words, statuses=None, **more):
    """Ends with a status of the table, with a sentence where it failed, and without a part of a value. -> the result"""
    result = vault.run(*words, input=VALUE, **more)
    assert result.status in (statuses or (DEFINED_OF_RUN if words[0] == "run" else DEFINED)), result
    assert result.status in (0, 1) or result.err.startswith(b"envseal: "), result
    assert words[0] != "run" or result.status == 0 or b"started" not in result.out, result
    SIEVE.assert_clean(result.out + result.err, words)
    return result


def assert_nothing_lost(vault, listed):
    """What was there is there; at most the one change that was asked for has come."""
    now = {entry["name"]: entry for entry in vault.ok("list", "--json").json()["secrets"]}
    assert set(now) - {"NEW"} == set(listed) and all(now[name] == listed[name] for name in listed)
    assert vault.check()["ok"]
    assert vault.value("API_TOKEN") == SECRETS["API_TOKEN"]


@pytest.fixture
def listed(vault):
    return {entry["name"]: entry for entry in vault.ok("list", "--json").json()["secrets"]}


# ------------------------------------------------------------------------------------------------------ surroundings


@pytest.mark.parametrize("closed", [numbers for count in (1, 2, 3) for numbers in itertools.combinations(range(3), count)], ids=str)
def test_closed_standard_descriptors(vault, listed, closed):
    """No file that envseal opens may take their place: talk and output would be written into the vault."""
    for words in (["set", "NEW", "--generate", "24", "--force"], ["run", "-s", "API_TOKEN", "--", "/bin/true"], ["list"],
                  ["audit", "verify"]):
        process = vault.popen(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: [os.close(number) for number in closed])
        status = process.wait(60)
        assert status == 0, words
    assert_nothing_lost(vault, listed)


@pytest.mark.parametrize("env", [{"ENVSEAL_HOME": "vault"}, {"ENVSEAL_HOME": "./vault"}, {"ENVSEAL_HOME": "../vault"},
                                 {"ENVSEAL_HOME": None, "HOME": None}, {"ENVSEAL_HOME": None, "HOME": "home"},
                                 {"ENVSEAL_HOME": "/" + "x" * 5000}, {"ENVSEAL_HOME": "/proc/self/mem"},
                                 {"ENVSEAL_HOME": "/dev/null"}], ids=lambda env: str(env)[:40])
def test_no_folder_to_look_in(vault, listed, env):
    for words in (SET, RUN, ["list"], ["init"]):
        assert attempt(vault, words, env=env).status not in (0, 5, 6)
    assert not list(vault.work.iterdir())
    assert_nothing_lost(vault, listed)


def test_a_folder_that_was_deleted_under_it(vault, listed):
    gone = vault.base / "gone"
    gone.mkdir()
    for words in COMMANDS:
        vault_words = vault.words(words)
        done = subprocess.run(["/bin/sh", "-c", 'mkdir -p "$0" && cd "$0" && rmdir "$0" && exec "$@"', gone, *vault_words],
                              env=vault.env, input=VALUE, capture_output=True, timeout=60)
        assert done.returncode in (DEFINED_OF_RUN if words is RUN else {0, 1}), (words, done)
        SIEVE.assert_clean(done.stdout + done.stderr, words)
    assert_nothing_lost(vault, listed)


@pytest.mark.parametrize("which, limits", [
    ("NOFILE", [3, 5, 8, 12]), ("AS", [1 << 20, 16 << 20, 48 << 20, 80 << 20]),
    ("FSIZE", [0, 1, 4096, 20000]), ("MEMLOCK", [0, 4096]), ("STACK", [256 << 10]), ("CPU", [60])], ids=lambda value: str(value)[:8])
def test_limits(vault, listed, which, limits):
    for limit, words in itertools.product(limits, (SET, RUN, ["list"])):
        # Before there is memory for a process there is none for a sentence: the kernel ends what it cannot start.
        started = which != "AS" or limit >= 16 << 20
        done = vault.run(*words, input=VALUE,
                         preexec_fn=lambda: resource.setrlimit(getattr(resource, f"RLIMIT_{which}"), (limit, limit)))
        if not started and done.status in (-9, -11):
            assert done.out == b"" and done.err == b""
            continue
        assert done.status in (DEFINED_OF_RUN if words is RUN else {0, 1, 4}), (which, limit, done)
        assert done.status == 0 or done.err.startswith(b"envseal: ") and b"started" not in done.out, (which, limit, done)
        SIEVE.assert_clean(done.out + done.err, (which, limit))
    assert_nothing_lost(vault, listed)


# --------------------------------------------------------------------------------------------------------- arguments


def test_two_thousand_arguments(vault):
    result = vault.ok("run", "-s", "API_TOKEN", "--", "/bin/sh", "-c", 'echo $#; echo "$1999"', "sh", *map(str, range(2000)))
    assert result.text.split()[0] == "2000"


@pytest.mark.parametrize("length", [120_000, 131_000])
def test_a_huge_argument(vault, listed, length):
    long = "a" * length
    result = vault.ok("run", "-s", "API_TOKEN", "--", "/bin/sh", "-c", 'printf %s "$1" | wc -c', "sh", long)
    assert result.out == b"%d\n" % length
    for words in (["show", long], ["set", long, "--stdin"], ["run", "-s", long, "--", "true"], ["run", "--", long], [long],
                  ["list", f"--tag={long}"], ["rename", "API_TOKEN", long], ["set", "NEW", "--stdin", f"--note={long}"]):
        result = attempt(vault, words, {125, 127} if words[0] == "run" else {1, 2, 3} if words[0] != "list" else {0, 2})
        assert len(result.err) < 2000
    assert_nothing_lost(vault, listed)


def test_a_huge_argument_that_holds_a_value(vault):
    """Masked in the log, wherever in it the value is."""
    token = SECRETS["API_TOKEN"].decode()
    for argument in ("a" * 100_000 + token, token + "a" * 100_000):
        vault.ok("run", "-s", "API_TOKEN", "--", "/bin/true", argument)
    assert_nowhere(SECRETS.values(), vault.log.read_bytes())
    assert vault.check()["ok"]


def test_the_largest_values(vault):
    largest = bytes(range(33, 125)) * (1 + (1 << 20) // 92)
    largest = largest[:1 << 20]
    vault.set("LARGEST", largest)
    vault.run("set", "TOO_LARGE", "--stdin", "--raw", input=largest + b"x", status=2)
    result = vault.ok("run", "-s", "LARGEST=F:file", "--", "/bin/sh", "-c", 'wc -c < "$F"; cat "$F"')
    assert result.out == b"1048576\n" + masked("LARGEST").encode()
    for action in ("run", "inject"):
        refused = vault.run(action, "-s", "LARGEST=V", "--", "/bin/echo", "started", status=125)
        assert refused.out == b"" and "LARGEST" in refused.talk and ":file" in refused.talk
    assert "TOO_LARGE" not in vault.names() and vault.check()["ok"]


# ------------------------------------------------------------------------------------------------------ dotenv files


@pytest.mark.parametrize("text", [
    bytes(range(256)) * 16, b"\0" * 4096, b"A=" + b"x" * (2 << 20), b"A" * (2 << 20), b"A=1\n" * 500_000, b"A='" * 2000, b"=\n=\n",
    b"A=\"\\", b"A=x\0y\n", b"\xff\xfe" + "A=b\n".encode("utf-16-le"), b"A=1\r\rB=2\r", b"export\n", b"$(id)=x\n", b"A=${A}\n" * 50,
    b"PATH=/tmp\nLD_PRELOAD=/tmp/x.so\n", "\u202eA=b\n".encode()], ids=lambda text: repr(text[:12]))
def test_dotenv_files(vault, listed, text):
    path = vault.work / "values.env"
    path.write_bytes(text)
    for words in (["import", "values.env", "--dry-run"], ["import", "values.env", "--rewrite"]):
        result = vault.run(*words)
        assert result.status in {0, 1, 2}, result
        assert result.status == 0 or (result.err.startswith(b"envseal: ") or b"values.env:" in result.err), result
        assert not any(ord(char) < 32 and char != "\n" or char == "\u202e" for char in result.text + result.talk), result
        if result.status != 0:
            assert path.read_bytes() == text and not (vault.work / ".envseal").exists()
    kept = {entry["name"]: entry for entry in vault.ok("list", "--json").json()["secrets"]}
    assert all(kept[name] == listed[name] for name in listed) and vault.check()["ok"]


# ------------------------------------------------------------------------------------------------- the vault and the log


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
    for _ in range(15):
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
                       ["PRAGMA application_id = 1"], ["CREATE TABLE more(x)"], ["CREATE TRIGGER t AFTER INSERT ON row BEGIN SELECT 1; END"],
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

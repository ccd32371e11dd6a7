"""C10: a file that somebody else could read, write or swap is not used, and the sentence says what mends it."""

import os
import re
import sqlite3
import subprocess

import pytest

from attack_support import Sieve
from envseal_support import PASSPHRASE, PYTHON, SECRETS, copy_vault, spawn

VALUE = b"value-9fTq2Wc6Lx0Nv4Ms"
LATE = b"late-1kPz8Gh3Yb7Rd5Uj"
MENDING = re.compile(r"(?:mend it with|remove it with|move it away with|found with): (.*)")
SIEVE = Sieve([VALUE, LATE, *SECRETS.values()])
SIEVE_OF_PASSPHRASE = Sieve([PASSPHRASE.encode()], part=14)
FILES = ["vault.db", "vault.db-wal", "audit.jsonl"]


@pytest.fixture(scope="module")
def full(tmp_path_factory, original):
    """A vault whose last change is in the write-ahead log only, as after a crash or beside a reader."""
    vault = copy_vault(original, tmp_path_factory.mktemp("full"))
    reader = sqlite3.connect(vault.database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    vault.set("LATE", LATE)
    copy = copy_vault(vault, tmp_path_factory.mktemp("copy"))
    reader.close()
    assert (copy.dir / "vault.db-wal").stat().st_size > 0
    return copy


@pytest.fixture
def target(tmp_path, full):
    return copy_vault(full, tmp_path)


def program(vault):
    return ["--", "/usr/bin/touch", vault.work / "ran"]


def commands(vault):
    """Everything that uses vault and log together, and how it must end."""
    return [(["set", "NEW", "--stdin"], 4), (["set", "NEW", "--stdin", "--locked"], 4), (["rm", "LATE", "--yes"], 4),
            (["verify", "API_TOKEN"], 4), (["audit", "verify"], 4), (["run", "-s", "API_TOKEN", *program(vault)], 125),
            (["inject", "-s", "API_TOKEN", *program(vault)], 125), (["pipe", "API_TOKEN", *program(vault)], 125)]


def content(path):
    return path.read_bytes() if path.is_file() else None


def tree(vault, named):
    """Where only the log is unsafe the vault is opened, and a write-ahead log is merged into it by that."""
    unlike = ("vault.db-shm", "audit.lock", *(FILES[:2] if named.name == "audit.jsonl" else ()))
    return {path.name: (path.lstat().st_ino, path.lstat().st_mode, content(path)) for path in vault.dir.iterdir()
            if path.name not in unlike}


def assert_refused(vault, named, count=8):
    """Nothing ran, nothing changed, nothing of it was shown, and each sentence names the file and a command. -> the last"""
    before = tree(vault, named)
    for words, status in commands(vault)[-count:]:
        result = vault.run(*words, input=VALUE, passphrase="--locked" not in words, status=status)
        assert result.out == b"" and result.talk.count("\n") == 1, result
        assert MENDING.search(result.talk) and str(named) in result.talk, result
        SIEVE.assert_clean(result.err, words)
        SIEVE_OF_PASSPHRASE.assert_clean(result.err, words)
    assert not (vault.work / "ran").exists()
    assert tree(vault, named) == before
    return result


def mend(result):
    command = MENDING.search(result.talk)[1]
    done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0 and done.stderr == b"", (command, done.stderr)
    return done.stdout.decode()


def assert_whole(vault):
    vault.ok("audit", "verify")
    assert vault.value("LATE") == LATE


# ---------------------------------------------------------------------------------------------------- vault and log


BITS = [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]


@pytest.mark.parametrize("name", [*FILES, "."])
def test_one_bit_for_others(target, name):
    path = target.dir / name
    usual = path.stat().st_mode & 0o7777
    for bit in BITS:
        path.chmod(usual | bit)
        result = assert_refused(target, path, count=8 if bit == 0o040 else 3)
    mend(result)
    assert path.stat().st_mode & 0o7777 == usual
    assert_whole(target)


@pytest.mark.parametrize("name", FILES)
def test_a_symbolic_link_to_the_very_same_file(target, name):
    path, elsewhere = target.dir / name, target.base / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    mend(assert_refused(target, path))
    assert elsewhere.read_bytes() == before and not path.is_symlink()
    elsewhere.rename(path)
    assert_whole(target)


def test_a_symbolic_link_to_what_is_nobodys_business(target):
    """A log that leads to another file would have lines of envseal's written into that file."""
    victim = target.base / "victim"
    victim.write_text("not a log\n")
    victim.chmod(0o600)
    for name in FILES:
        copy = copy_vault(target, target.base / f"copy-{name}")
        (copy.dir / name).unlink()
        (copy.dir / name).symlink_to(victim)
        assert_refused(copy, copy.dir / name, count=3)
    assert victim.read_text() == "not a log\n"


@pytest.mark.parametrize("name", FILES)
def test_a_second_name(target, name):
    path, elsewhere = target.dir / name, target.base / "elsewhere"
    os.link(path, elsewhere)
    mend(assert_refused(target, path))
    # The other name leads to a file that envseal has let go of.
    elsewhere.write_bytes(b"overwritten")
    assert_whole(target)


def make_fifo(path):
    os.mkfifo(path, 0o600)


def make_folder(path):
    path.mkdir(0o700)


def make_socket(path):
    subprocess.run([PYTHON, "-c", "import os, socket, sys; os.umask(0o177); socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
                    path.name], cwd=path.parent, check=True)


@pytest.mark.parametrize("make", [make_fifo, make_folder, make_socket])
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file(target, name, make):
    """A FIFO above all must not make envseal wait for whoever made it."""
    path, kept = target.dir / name, target.base / "kept"
    path.rename(kept)
    make(path)
    mend(assert_refused(target, path))
    assert not path.exists()
    kept.rename(path)
    assert_whole(target)


def test_the_vaults_folder_is_a_link(target):
    """Whoever may swap the link could swap the vault."""
    away = target.dir.rename(target.base / "away")
    target.dir.symlink_to(away)
    for words, status in commands(target):
        result = target.run(*words, input=VALUE, passphrase="--locked" not in words, status=status)
        assert "is a symbolic link or no folder; put a real folder there" in result.talk
    assert not (target.work / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", [*FILES, "."])
def test_another_owner(target, name):
    os.chown(target.dir / name, 65534, -1)
    mend(assert_refused(target, target.dir))
    assert_whole(target)


# Run as root of a user namespace, in which files of the real root belong to nobody.
LAID_OVER = 'mount --bind "$1" "$2"; shift 2; exec "$@"'


@pytest.mark.skipif(os.geteuid() == 0, reason="root owns the file that is laid over")
@pytest.mark.parametrize("name", FILES)
def test_another_owner_by_a_file_of_roots(target, name):
    for words, status in commands(target):
        command = target.words(words, passphrase="--locked" not in words)
        done = subprocess.run(["unshare", "-rm", "/bin/sh", "-euc", LAID_OVER, "sh", "/etc/passwd", target.dir / name, *command],
                              env=target.env, input=VALUE, capture_output=True, timeout=60)
        if b"unshare failed" in done.stderr:
            pytest.skip("this machine gives no user namespaces to plain users")
        assert done.returncode == status and done.stdout == b"", (words, done)
        assert b"belongs to another user" in done.stderr and b"root:x:0" not in done.stderr, done
    assert not (target.work / "ran").exists()


# ----------------------------------------------------------------------------------------------- the passphrase file


def assert_passphrase_refused(vault, says):
    for words, status in [(["set", "NEW", "--stdin"], 4), (["confirm", "--yes"], 4), (["init"], 4), (["audit", "verify"], 4),
                          (["run", "-s", "API_TOKEN", *program(vault)], 125)]:
        if words == ["confirm", "--yes"]:
            vault.ok("set", "WAITING", "--stdin", "--locked", "--force", input=VALUE, passphrase=False)
        env = {"ENVSEAL_HOME": str(vault.base / "none")} if words == ["init"] else {}
        result = vault.run(*words, input=VALUE, env=env, status=status)
        assert says in result.talk and str(vault.passphrase_file) in result.talk and result.out == b"", result
        SIEVE_OF_PASSPHRASE.assert_clean(result.err, words)
    assert not (vault.work / "ran").exists() and not (vault.base / "none/vault.db").exists()
    # Nothing of it was tried, so nothing is recorded as a wrong passphrase either.
    assert not vault.records(kind="unlock.failed")
    return result


def test_a_passphrase_that_others_could_touch(vault):
    for bit in BITS:
        vault.passphrase_file.chmod(0o600 | bit)
        result = assert_passphrase_refused(vault, "is open to others")
    mend(result)
    vault.ok("tag", "API_TOKEN", "--add", "x")


def test_a_passphrase_behind_a_symbolic_link(vault):
    real = vault.passphrase_file.rename(vault.base / "real one")
    vault.passphrase_file.symlink_to(real)
    assert mend(assert_passphrase_refused(vault, "is a symbolic link")) == f"{real}\n"
    vault.passphrase_file = real
    vault.ok("tag", "API_TOKEN", "--add", "x")


def test_a_passphrase_with_a_second_name(vault):
    os.link(vault.passphrase_file, vault.base / "elsewhere")
    mend(assert_passphrase_refused(vault, "has 2 names (hard links)"))
    vault.ok("tag", "API_TOKEN", "--add", "x")


@pytest.mark.parametrize("make", [make_fifo, make_folder])
def test_a_passphrase_in_what_is_no_file(vault, make):
    """A FIFO would give the passphrase to whoever else reads it, and makes the call hang when nobody writes."""
    vault.passphrase_file.unlink()
    make(vault.passphrase_file)
    mend(assert_passphrase_refused(vault, "is not a regular file"))
    vault.write_passphrase(PASSPHRASE)
    vault.ok("tag", "API_TOKEN", "--add", "x")


def test_a_passphrase_from_a_device(vault):
    vault.passphrase_file = "/dev/zero"
    result = vault.run("tag", "API_TOKEN", "--add", "x", status=4)
    assert "/dev/zero is not a regular file" in result.talk


def test_a_passphrase_that_root_owns(vault):
    """/etc/hostname, say: what somebody else wrote is not what unlocks this vault."""
    if os.geteuid() == 0:
        pytest.skip("root owns it")
    vault.passphrase_file = "/etc/hostname"
    assert "belongs to another user" in vault.run("tag", "API_TOKEN", "--add", "x", status=4).talk
    vault.run("run", "-s", "API_TOKEN", *program(vault), status=125)
    assert not (vault.work / "ran").exists()


def test_a_pipe_without_a_name_is_no_file_to_refuse(vault):
    """Process substitution. The writer comes late, so reading has to wait for it."""
    words = vault.words(["tag", "API_TOKEN", "--add", "x"], passphrase=False)
    child = spawn(["/bin/bash", "-c", '"$@" --passphrase-file <(read -r line < /dev/tty; echo "$line")', "bash", *words],
                  env=vault.env, cwd=vault.work)
    child.sendline(PASSPHRASE)
    child.expect("API_TOKEN")
    child.close(force=True)
    assert vault.entry("API_TOKEN")["tags"] == ["x"]

"""C3: no value is in an argument vector, in a file, in the audit log or in an error text, also when things go wrong."""

import os
import pathlib
import resource
import subprocess

import pytest

from attack_support import Sieve, assert_sealed_tree
from envseal_support import PASSPHRASE, PYTHON, SECRETS, masked

TOKEN = SECRETS["API_TOKEN"]
SIEVE = Sieve(SECRETS.values())
WHOLE = Sieve(SECRETS.values(), part=16)
SIEVE_OF_PASSPHRASE = Sieve([PASSPHRASE.encode()], part=14)


def assert_nowhere_in(vault, *more):
    """All that envseal or its folders hold: the passphrase's own file is the only place with a secret in it."""
    tmp = pathlib.Path(vault.env["TMPDIR"])
    folders = [vault.dir, vault.home, vault.work, *more]
    if tmp not in vault.base.parents:
        folders.append(tmp)
    for sieve in (SIEVE, SIEVE_OF_PASSPHRASE):
        assert assert_sealed_tree(sieve, *folders, without={vault.passphrase_file}) >= 2


@pytest.fixture
def own(vault, tmp_path):
    """A vault with a temporary folder that nobody else uses."""
    (tmp_path / "temporary").mkdir()
    vault.env["TMPDIR"] = str(tmp_path / "temporary")
    return vault


def processes():
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            yield entry


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def hold(vault, words, **more):
    """Starts a program that waits for a line, and has told by then that it runs. -> (process, way to end it)"""
    gate, release = os.pipe()
    told, tell = os.pipe()
    # Descriptors are not handed on, so the program opens its ends by path.
    named = f"/proc/{os.getpid()}/fd"
    program = (f"import os; os.write(os.open('{named}/{tell}', os.O_WRONLY), b'x'); "
               f"os.read(os.open('{named}/{gate}', os.O_RDONLY), 1)")
    process = vault.popen(*words, "--", PYTHON, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    assert os.read(told, 1) == b"x"

    def finish():
        os.write(release, b"x")
        out, err = process.communicate(timeout=60)
        for descriptor in (gate, release, told, tell):
            os.close(descriptor)
        assert process.returncode == 0, err
        return out, err
    return process, finish


@pytest.mark.parametrize("words", [["run", "-s", "API_TOKEN", "-s", "DATABASE_URL=F:file"], ["inject", "-s", "API_TOKEN"],
                                   ["pipe", "API_TOKEN"]], ids=lambda words: words[0])
def test_while_a_program_runs(own, words):
    process, finish = hold(own, words)
    seen = 0
    for entry in processes():
        line = read(entry / "cmdline")
        seen += bool(line)
        SIEVE.assert_clean(line, entry / "cmdline")
        SIEVE.assert_clean(read(entry / "comm"), entry / "comm")
        SIEVE_OF_PASSPHRASE.assert_clean(line, entry / "cmdline")
    assert seen > 2 and read(pathlib.Path(f"/proc/{process.pid}/cmdline"))
    assert_nowhere_in(own)
    out, err = finish()
    SIEVE.assert_clean(out + err, "output")
    assert_nowhere_in(own)


def test_no_temporary_file_is_needed(own):
    """Not even one that is gone afterwards: nowhere else can anything be written."""
    for folder in (own.env["TMPDIR"], own.home, own.work):
        os.chmod(folder, 0o500)
    own.ok("run", "-s", "API_TOKEN", "-s", "DATABASE_URL=F:file", "--", "sh", "-c", 'cat "$F"')
    own.ok("pipe", "API_TOKEN", "--", "cat")
    assert set(own.files()) <= {"vault.db", "vault.db-wal", "vault.db-shm", "audit.jsonl", "audit.lock"}


def no_space(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def failing(own):
    big = SECRETS["API_TOKEN"] * 60_000
    plain = (own.work / "plain")
    plain.write_text("no program\n")
    (own.work / "values.env").write_bytes(b"A_KEY=" + TOKEN + b"\nb roken " + TOKEN + b"\nC='" + TOKEN + b"\n")
    (own.work / "manifest").mkdir()
    (own.work / "manifest/.envseal").write_bytes(b"X=" + TOKEN + b"!\n")
    os.link(own.work / "values.env", own.work / "second-name.env")
    run = ["run", "-s", "API_TOKEN", "--"]
    yield "not executable", [*run, "./plain"], {}, 126
    yield "no such program", [*run, "./none"], {}, 127
    yield "a folder", [*run, "."], {}, 126
    yield "bad interpreter", [*run, "./script"], {}, 126
    yield "program fails", [*run, "sh", "-c", "exit 3"], {}, 3
    yield "program crashes", [*run, "sh", "-c", "kill -SEGV $$"], {}, -11
    yield "an environment too large", [*run, "true"], {"env": {f"LARGE_{i}": "x" * 120_000 for i in range(16)}}, None
    yield "too large value", ["set", "BIG", "--stdin"], {"input": big}, 2
    yield "NUL in a variable", ["run", "-s", "NUL", "--", "true"], {}, 125
    yield "value for a variable too large", ["run", "-s", "LARGE", "--", "true"], {}, 125
    yield "exists already", ["set", "API_TOKEN", "--stdin"], {"input": TOKEN}, 1
    yield "weak value", ["set", "WEAK", "--stdin"], {"input": TOKEN[:5]}, 2
    yield "bad name", ["set", "bad name", "--stdin"], {"input": TOKEN}, 2
    yield "value from a missing file", ["set", "X", "--file", "none"], {}, 1
    yield "value from a folder", ["set", "X", "--file", "."], {}, None
    yield "bad dotenv", ["import", "values.env"], {}, 2
    yield "bad manifest", ["run", "--", "true"], {"cwd": own.work / "manifest"}, 125
    yield "a manifest of values", ["import", "manifest/.envseal"], {}, None
    yield "no room for the log", [*run, "true"], {"preexec_fn": no_space(100)}, 125
    yield "no room for the vault", ["set", "Y", "--stdin"], {"input": TOKEN, "preexec_fn": no_space(100)}, 1
    yield "standard output is full", [*run, "sh", "-c", "echo $API_TOKEN"], {"stdout": open("/dev/full", "w")}, 125
    yield "standard error is full", [*run, "none"], {"stderr": open("/dev/full", "w")}, 127
    yield "few descriptors", [*run, "true"], {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))}, None
    yield "wrong answer", ["verify", "API_TOKEN"], {"input": TOKEN + b"x"}, 1
    yield "locked, exists", ["set", "API_TOKEN", "--stdin", "--locked"], {"input": TOKEN}, 1
    yield "no version", ["rollback", "API_TOKEN", "--to", "7"], {}, 1


def test_when_things_go_wrong(own):
    own.set("NUL", TOKEN + b"\0" + TOKEN)
    own.set("LARGE", TOKEN * 10_000)
    (own.work / "script").write_bytes(b"#!/none/" + TOKEN + b"\n")
    (own.work / "script").chmod(0o755)
    planted = {own.work / name for name in ("values.env", "second-name.env", "script", "manifest/.envseal")}
    for what, words, more, status in failing(own):
        result = own.run(*words, **more)
        assert status is None or result.status == status, (what, result)
        assert result.status in {0, 1, 2, 3, 4, 5, 6, 125, 126, 127, -11}, (what, result)
        if what != "bad interpreter":
            SIEVE.assert_clean(result.out + result.err, what)
    for sieve in (SIEVE, SIEVE_OF_PASSPHRASE):
        assert_sealed_tree(sieve, own.dir, own.home, own.work, pathlib.Path(own.env["TMPDIR"]), without=planted)
    assert own.run("audit", "verify").status == 0


def test_a_wrong_passphrase_is_not_repeated(own):
    guess = "Nx5?wrong guess of mine Hb8"
    own.write_passphrase(guess)
    sieve = Sieve([guess.encode()], part=12)
    for words in (["run", "-s", "API_TOKEN", "--", "true"], ["verify", "API_TOKEN"], ["audit", "verify"]):
        result = own.run(*words)
        assert result.status in (5, 125)
        sieve.assert_clean(result.out + result.err, words)
    assert_sealed_tree(sieve, own.dir, own.home, own.work)


def test_arguments_are_masked_in_the_log(own):
    text = TOKEN.decode()
    own.ok("run", "-s", "API_TOKEN", "--", "true", text, f"--token={text}", TOKEN.hex(), f"{text}{text}")
    argv = own.records(kind="run.intent")[-1]["argv"]
    mask = masked("API_TOKEN")
    assert argv == ["true", mask, f"--token={mask}", masked("API_TOKEN", "hex"), mask] or argv[:4] == [
        "true", mask, f"--token={mask}", masked("API_TOKEN", "hex")]
    WHOLE.assert_clean(own.log.read_bytes(), "the log")


@pytest.mark.parametrize("action", ["run", "inject", "pipe"])
def test_folders_and_program_names_are_masked_in_the_log(own, action):
    """A checkout or a build folder may be called after what is in it."""
    folder = own.work / TOKEN.decode()
    folder.mkdir()
    program = folder / f"tool-{TOKEN.decode()}"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    words = ["pipe", "API_TOKEN"] if action == "pipe" else [action, "-s", "API_TOKEN"]
    own.ok(*words, "--", f"./{program.name}", cwd=folder)
    own.ok(*words, "--", program, cwd=folder)
    own.run(*words, "--", "./none", cwd=folder, status=127)
    WHOLE.assert_clean(own.log.read_bytes(), "the log")
    record = own.records(kind=f"{action}.intent")[-1]
    assert masked("API_TOKEN") in record["directory"] and masked("API_TOKEN") in record["program"]["path"]


def test_the_manifests_folder_is_masked_in_the_log(own):
    folder = own.work / TOKEN.decode()
    folder.mkdir()
    (folder / ".envseal").write_text("API_TOKEN=API_TOKEN\n")
    own.ok("run", "--", "true", cwd=folder)
    WHOLE.assert_clean(own.log.read_bytes(), "the log")


def test_kept_variables_are_named_and_not_copied(own):
    own.ok("run", "-s", "API_TOKEN", "--keep-env", "PYTHONPATH", "--", "true", env={
        "PYTHONPATH": TOKEN.decode(), "LD_LIBRARY_PATH": TOKEN.decode(), "PATH": f"/{TOKEN.decode()}:/usr/bin"})
    WHOLE.assert_clean(own.log.read_bytes(), "the log")


def test_import_leaves_no_copy(own):
    secret = b"Vd8$jWs2Kq6^hLe4Pz0@"
    sieve = Sieve([secret])
    file = own.work / ".env"
    file.write_bytes(b"SOME_TOKEN='" + secret + b"'\nPORT=3000\n")
    result = own.ok("import", file, "--rewrite")
    sieve.assert_clean(result.out + result.err, "import")
    assert not file.exists()
    assert_sealed_tree(sieve, own.dir, own.home, own.work, pathlib.Path(own.env["TMPDIR"]))
    assert own.is_value("SOME_TOKEN", secret)

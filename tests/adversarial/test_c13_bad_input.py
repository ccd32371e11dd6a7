"""C13: bad input ends in a defined error and loses nothing. Here: surroundings, arguments, values and dotenv files."""

import itertools
import os
import resource
import subprocess

import pytest

from bad_input_support import DEFINED_OF_RUN, RUN, SET, SIEVE, VALUE, assert_nothing_lost, attempt, entries
from envseal_support import SECRETS, assert_nowhere, masked


@pytest.fixture
def listed(vault):
    return entries(vault)


# ------------------------------------------------------------------------------------------------------ surroundings


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
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
    for words in (SET, RUN, ["list"], ["audit", "verify"]):
        vault_words = vault.words(words)
        done = subprocess.run(["/bin/sh", "-c", 'mkdir -p "$0" && cd "$0" && rmdir "$0" && exec "$@"', gone, *vault_words],
                              env=vault.env, input=VALUE, capture_output=True, timeout=60)
        assert done.returncode in (DEFINED_OF_RUN if words is RUN else {0, 1}), (words, done)
        SIEVE.assert_clean(done.stdout + done.stderr, words)
    assert_nothing_lost(vault, listed)


@pytest.mark.parametrize("which, limits", [
    ("NOFILE", [3, 5, 8, 12]), ("AS", [1 << 20, 16 << 20, 48 << 20, 80 << 20]),
    ("FSIZE", [0, 1, 4096, 20000]), ("MEMLOCK", [0, 4096]), ("STACK", [256 << 10]), ("CPU", [60])],
    ids=lambda value: str(value)[:8])
def test_limits(vault, listed, which, limits, request):
    if which in ("NOFILE", "AS"):
        request.getfixturevalue("unsanitized")
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
    bytes(range(256)) * 16, b"\0" * 4096, b"A=" + b"x" * (2 << 20), b"A" * (2 << 20), b"A=1\n" * 500_000, b"A='" * 2000,
    b"=\n=\n", b"A=\"\\", b"A=x\0y\n", b"\xff\xfe" + "A=b\n".encode("utf-16-le"), b"A=1\r\rB=2\r", b"export\n", b"$(id)=x\n",
    b"A=${A}\n" * 50,
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
    kept = entries(vault)
    assert all(kept[name] == listed[name] for name in listed) and vault.check()["ok"]

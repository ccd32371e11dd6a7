"""The command line as such: words, options, streams, exit statuses, and text that is safe to print."""

import os
import re
import signal
import stat
import subprocess

import pytest

from envseal_support import PASSPHRASE, ROOT, SECRETS, Result, binary

TABLE = (ROOT / "src/cli/command_table.c").read_text().split("command_rows[] = {")[1]
COMMANDS = re.findall(r'\.name = "([^"]+)"', TABLE)
RUN_FAMILY = ["run", "inject", "pipe"]
HOSTILE = "\x1b[31m\x1b]0;title\x07\r\x08\n\x7f\u202e\u009b2J"


def usage(result, *says, status=2):
    assert result.status == status and result.out == b"", result
    assert result.talk.startswith("envseal: ") and result.talk.count("\n") == 1, result
    for part in says:
        assert part in result.talk, result
    return result


# ---------------------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize("words, says", [
    (["nonsense"], "'nonsense'"), ([""], "''"), (["--nonsense"], "--nonsense"), (["-x"], "-x"), (["-"], "'-'"),
    (["--"], "'--'"),
    (["Init"], "'Init'"), (["ini"], "'ini'"), (["audit", "nonsense"], "audit verify"),
    (["audit", "--json"], "audit verify"),
    (["audit"], "audit show, audit verify, audit blast-radius, audit rotate, audit accept"),
    (["help", "audit"], "audit show"),
    (["aud"], "'aud'"), (["list", "--nonsense"], "--nonsense"), (["list", "-z"], "-z"), (["list", "--jso"], "--jso"),
    (["list", "--json", "--json"], "twice"), (["list", "--json=yes"], "no value"), (["set", "A", "-fy"], "no value"),
    (["list", "operand"], "no operand"), (["list", ""], "no operand"), (["show"], "NAME"), (["show", "A", "B"], "NAME"),
    (["rename", "A"], "OLD NEW"), (["rm", "--yes"], "NAME"), (["set", "A", "--file"], "--file wants a value"),
    (["set", "A", "--note", "a", "--note", "b"], "--note was given twice"), (["list", "--", "program"], "no program"),
    (["list", "--"], "no program"), (["set", "A", "--", "--stdin"], "no program"),
    (["completion", "tcsh"], "bash, zsh and fish"),
    (["completion"], "SHELL"), (["help", "nonsense"], "'nonsense'"), (["version", "x"], "no operand"),
    (["init", "--pwhash", "x"], "interactive"), (["get", "A", "--force"], "--force"), (["help", "list", "x"], ""),
    (["rm", *["N"] * 5000, "--yes"], "too many"),
    (["verify", "A", "--passphrase-fd", "x"], "--passphrase-fd"),
    (["verify", "A", "--passphrase-fd", "-1"], "--passphrase-fd"),
    (["verify", "A", "--passphrase-fd=99999999999999999999"], "--passphrase-fd")],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "")
def test_usage_errors(no_vault, words, says):
    usage(no_vault.run(*words, passphrase=False), says)
    assert not no_vault.dir.exists()


@pytest.mark.parametrize("words, says", [
    (["run", "--nonsense", "--", "true"], "--nonsense"), (["run"], "behind --"), (["run", "true"], "no operand"),
    (["inject", "--"], "behind --"), (["pipe", "--", "true"], "NAME"), (["pipe", "A", "B", "--", "true"], "NAME"),
    (["run", "-s"], "--secret wants a value"), (["run", "--by-path", "--by-path", "--", "true"], "twice"),
    (["run", "--quiet=1", "--", "true"], "no value")],
                         ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_usage_errors_of_run_and_its_like(no_vault, words, says):
    usage(no_vault.run(*words, passphrase=False), says, status=125)


@pytest.mark.parametrize("words, says", [
    (["--stdin", "--file", "f"], "one of them"), (["--stdin", "--generate", "20"], "one of them"),
    (["--file", "f", "--generate", "20"], "one of them"), (["--generate", "7"], "--generate"),
    (["--generate", "4097"], "--generate"),
    (["--generate", "20x"], "--generate"), (["--generate", ""], "--generate"), (["--generate=-20"], "--generate"),
    (["--stdin", "--expires", "yesterday"], "--expires"), (["--stdin", "--expires", "2001-01-01"], "passed already"),
    (["--stdin", "--passphrase-fd", "0"], "another descriptor"),
    (["--stdin", "--passphrase-fd", "3", "--passphrase-file", "f"], "one of them")], ids=" ".join)
def test_conflicts_of_set(vault, words, says):
    before = vault.files()
    usage(vault.run("set", "A", *words, input=b"value-0123456", passphrase=False), says)
    assert vault.files() == before


def test_no_command_prints_the_overview_on_stderr(no_vault):
    result = no_vault.run(status=2)
    assert result.out == b""
    for words in ("--help", "help", "-h"):
        assert no_vault.ok(words).out == result.err


# ------------------------------------------------------------------------------------------------------- options, words


def test_ways_to_write_an_option(vault):
    for words in (["--note=a=b"], ["--note", "a=b"], ["--note=--json"], ["--note", "--json"], ["--note="],
                  ["--note", ""]):
        vault.ok("tag", "API_TOKEN", *words)
        want = words[1] if len(words) == 2 else words[0].partition("=")[2]
        assert vault.entry("API_TOKEN")["note"] == (want or None)
    # Before or behind the operands; short and long.
    assert vault.ok("show", "--json", "API_TOKEN").out == vault.ok("show", "API_TOKEN", "--json").out
    for words in (["-sAPI_TOKEN"], ["-s", "API_TOKEN"], ["--secret=API_TOKEN"], ["--secret", "API_TOKEN"],
                  ["-sAPI_TOKEN=API_TOKEN"],
                  ["--secret=API_TOKEN=API_TOKEN"]):
        found = vault.ok("run", *words, "--explain", "--json", "--", "true", passphrase=False).json()
        assert [(row["name"], row["variable"]) for row in found["secrets"]] == [("API_TOKEN", "API_TOKEN")], words


def test_everything_behind_the_dashes_is_the_program(shared):
    words = ["--help", "--", "-s", "X", "--json", "", " a  b ", "--passphrase-file=/nowhere", "é\n", "--version"]
    result = shared.ok("run", "-s", "API_TOKEN", "--", "printf", "<%s>", *words)
    assert result.text == "".join(f"<{word}>" for word in words)
    # An option that wants a value takes the dashes as its value, as everywhere.
    usage(shared.run("run", "-s", "--", "true"), "no operand", status=125)
    assert shared.run("run", "-s", "API_TOKEN", "--", "--help").status == 127


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(no_vault, command):
    """Also where other words are wrong, where there is no vault, and where stdout is the only thing that is read."""
    words = command.split()
    text = no_vault.ok(*words, "--help", passphrase=False).out
    assert text.startswith(f"Usage: envseal {command}".encode()) and text.endswith(b"\n")
    for more in (["-h"], ["x", "y", "z", "--help"]):
        result = no_vault.ok(*words, *more, passphrase=False)
        assert result.out == text and result.err == b""
    assert no_vault.ok("help", *words).out == text
    assert not no_vault.dir.exists()


def test_every_command_is_found_in_the_table():
    assert len(COMMANDS) >= 24 and "audit verify" in COMMANDS and set(RUN_FAMILY) < set(COMMANDS)


def test_version(no_vault):
    text = no_vault.ok("version").text
    assert re.fullmatch(r"envseal \d+\.\d+\.\d+\S*\n", text) and no_vault.ok("--version").text == text
    for words in (["version", "--json"], ["--version", "--json"]):
        assert no_vault.ok(*words).json() == {"version": 1, "name": "envseal", "release": text.split()[1]}


# ---------------------------------------------------------------------------------------------------------- exit status


@pytest.mark.parametrize("words, status", [
    (["list"], 0), (["show", "NOBODY"], 1), (["verify", "API_TOKEN"], 1), (["rename", "API_TOKEN", "DATABASE_URL"], 1),
    (["list", "--nonsense"], 2), (["show", "bad name"], 2), (["get", "API_TOKEN"], 4),
    (["run", "-s", "API_TOKEN", "--", "sh", "-c", "exit 3"], 3), (["run", "-s", "NOBODY", "--", "true"], 125),
    (["run", "-s", "API_TOKEN", "--", "/etc/passwd"], 126), (["run", "-s", "API_TOKEN", "--", "no-such-program"], 127),
    (["run", "-s", "API_TOKEN", "--", "sh", "-c", "kill -TERM $$"], -signal.SIGTERM)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_exit_statuses(shared, words, status):
    result = shared.run(*words, input=b"not the value", status=status)
    silent = status <= 0 or words[0] == "verify" or status == 3
    assert silent or result.talk.startswith(f"envseal: {words[0]}: "), result


def test_exit_statuses_of_a_vault_in_trouble(vault):
    assert vault.run("tag", "API_TOKEN", "--add", "x", passphrase=False).status == 4
    vault.write_passphrase("not it at all")
    assert vault.run("tag", "API_TOKEN", "--add", "x").status == 5
    assert vault.run("list", env={"ENVSEAL_HOME": str(vault.base / "none")}).status == 3
    vault.dir.chmod(0o755)
    assert vault.run("list").status == 4
    vault.dir.chmod(0o700)
    vault.database.write_bytes(b"garbage " * 1000)
    assert vault.run("list").status == 6


# -------------------------------------------------------------------------------------------------------------- streams


PRINTERS = [["--help"], ["help"], ["list", "--help"], ["version"], ["version", "--json"], ["list"], ["list", "--json"],
            ["show", "API_TOKEN"], ["history", "API_TOKEN"], ["audit", "show"], ["audit", "show", "--json"],
            ["audit", "verify", "--chain-only"], ["completion", "bash"], ["completion", "zsh"], ["completion", "fish"],
            ["run", "-s", "API_TOKEN", "--explain", "--", "true"]]


@pytest.mark.parametrize("words", [*PRINTERS, ["doctor"], ["doctor", "--json"]], ids=" ".join)
def test_output_that_cannot_be_written_is_told(shared, words):
    with open("/dev/full", "wb") as full:
        result = shared.run(*words, stdout=full, passphrase=False, status=1)
    assert result.talk.splitlines()[-1] == "envseal: cannot write to standard output: No space left on device"


@pytest.mark.parametrize("words", PRINTERS, ids=" ".join)
def test_a_reader_that_is_gone(shared, words):
    read, write = os.pipe()
    os.close(read)
    result = shared.run(*words, stdout=write, passphrase=False)
    os.close(write)
    assert result.status in (1, -signal.SIGPIPE), result
    assert result.status != 1 or "cannot write to standard output: Broken pipe" in result.talk


@pytest.mark.parametrize("words", [["list"], ["--help"], ["nonsense"], ["audit", "show"]], ids=" ".join)
def test_closed_descriptors(vault, words):
    """No file of the vault may end up as somebody's standard output."""
    before = vault.files()
    for closed in ([1], [2], [0, 1, 2]):
        process = vault.popen(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: [os.close(fd) for fd in closed])
        assert process.wait(60) in (0, 1, 2)
    assert vault.files() == before


def test_stderr_that_cannot_be_written_changes_nothing(vault):
    with open("/dev/full", "wb") as full:
        vault.ok("set", "NEW", "--generate", "20", stderr=full)
        vault.run("show", "NOBODY", stderr=full, status=1)
    assert "NEW" in vault.names()


@pytest.mark.parametrize("env",
                         [{}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, {"TERM": None},
                                 {"CLICOLOR_FORCE": "1", "FORCE_COLOR": "1"}], ids=str)
def test_no_escape_bytes_ever(shared, env):
    for words in (["list"], ["--help"], ["doctor"], ["audit", "show"], ["nonsense"]):
        result = shared.run(*words, env=env)
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", result.out + result.err), words
    child = shared.spawn("list", env=env)
    child.expect_exact("team/deploy-key")
    assert "\x1b" not in child.before


# -------------------------------------------------------------------------------------------------------- hostile words


def assert_printable(result):
    text = result.out + result.err
    assert re.fullmatch(rb"(?:[\x20-\x7e\xe2\x80\xa6]|\n)*", text), text
    assert len(result.err) < 2000 and result.talk.count("\n") <= 3, result


@pytest.mark.parametrize("make", [
    lambda bad: [bad], lambda bad: ["list", f"--{bad}"], lambda bad: ["list", f"-{bad}"], lambda bad: ["show", bad],
    lambda bad: ["help", bad], lambda bad: ["completion", bad], lambda bad: ["get", bad],
    lambda bad: ["rename", bad, "A"],
    lambda bad: ["rename", "API_TOKEN", bad], lambda bad: ["set", "A", "--file", bad],
    lambda bad: ["set", "A", "--generate", bad],
    lambda bad: ["set", "A", "--generate", "20", "--tag", bad],
    lambda bad: ["set", "A", "--generate", "20", "--expires", bad],
    lambda bad: ["init", "--pwhash", bad], lambda bad: ["import", bad],
    lambda bad: ["rollback", "API_TOKEN", "--to", bad],
    lambda bad: ["audit", bad], lambda bad: ["audit", "show", "--since", bad],
    lambda bad: ["audit", "show", "--kind", bad],
    lambda bad: ["verify", "API_TOKEN", "--passphrase-fd", bad],
    lambda bad: ["tag", "API_TOKEN", "--passphrase-file", bad],
    lambda bad: ["run", "-s", bad, "--", "true"], lambda bad: ["run", "-s", f"API_TOKEN={bad}", "--", "true"],
    lambda bad: ["run", "-s", "API_TOKEN", "--", bad],
    lambda bad: ["run", "-s", "API_TOKEN", "--keep-env", bad, "--", "true"],
    lambda bad: ["run", "--profile", bad, "--", "true"], lambda bad: ["pipe", bad, "--", "true"]])
@pytest.mark.parametrize("bad", [HOSTILE, b"\xff\x1b[2J\x9b", "x" * 100_000], ids=["escapes", "bytes", "long"])
def test_hostile_words_are_printed_safely(shared, make, bad):
    if isinstance(bad, bytes):
        bad = os.fsdecode(bad)
    words = [os.fsencode(word) for word in make(bad)]
    passphrase = b"--passphrase" not in b" ".join(words)
    words = shared.words([os.fsdecode(word) for word in words], passphrase)
    done = subprocess.run([os.fsencode(word) for word in words], env=shared.env, cwd=shared.work, input=b"",
                          capture_output=True,
                          start_new_session=True, timeout=60)
    result = Result(make(bad)[:2], done.returncode, done.stdout, done.stderr)
    assert_printable(result)
    assert result.status in (1, 2, 4, 125, 126, 127) or make(bad)[:3] == ["audit", "show", "--kind"], result


def test_a_note_is_printed_safely(vault):
    result = vault.run("set", "NOTED", "--generate", "20", "--note", HOSTILE)
    if result.status == 0:
        for words in (["show", "NOTED"], ["list"], ["history", "NOTED"]):
            assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", vault.ok(*words).out), words
    else:
        assert result.status == 2
    assert_printable(result)


# ----------------------------------------------------------------------------------------------------------- passphrase


def test_a_passphrase_through_process_substitution(vault):
    words = vault.words(["tag", "API_TOKEN", "--add", "x"], passphrase=False)
    done = subprocess.run(["bash", "-c", f'"$@" --passphrase-file <(echo "{PASSPHRASE}")', "bash", *words],
                          env=vault.env,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done
    done = subprocess.run(["bash", "-c", f'"$@" --passphrase-fd 5 5<<< "{PASSPHRASE}"', "bash", *words[:-1], "y"],
                          env=vault.env,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done
    assert vault.entry("API_TOKEN")["tags"] == ["x", "y"]


@pytest.mark.parametrize("mode, status",
                         [(0o600, 0), (0o400, 0), (0o700, 0), (0o640, 4), (0o604, 4), (0o644, 4), (0o000, 2)])
def test_the_mode_of_the_passphrase_file(vault, mode, status):
    vault.passphrase_file.chmod(mode)
    result = vault.run("tag", "API_TOKEN", "--add", "x", status=status)
    assert status != 4 or "chmod 600" in result.talk
    assert stat.S_IMODE(vault.passphrase_file.stat().st_mode) == mode


def test_the_passphrase_and_the_programs_input_share_a_descriptor(shared):
    result = shared.ok("run", "-s", "API_TOKEN", "--passphrase-fd", "0", "--", "cat", input=f"{PASSPHRASE}\nthe rest\n",
                       passphrase=False)
    assert result.out == b"the rest\n"


def test_the_passphrase_in_an_error_is_not_repeated(vault):
    for text in ("wrong-pass-0815", PASSPHRASE + " "):
        vault.write_passphrase(text)
        result = vault.run("tag", "API_TOKEN", "--add", "x", status=5)
        assert text not in result.talk and result.out == b""


# ----------------------------------------------------------------------------------------------------------- completion


def test_bash_completion_offers_names_and_options(vault):
    script = ('eval "$("$1" completion bash)"; envseal() { "$E" "$@"; }; E=$1\n'
              'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _envseal; echo "${COMPREPLY[*]}"; }\n'
              'try envseal sh; try envseal show A; try envseal run -s D; try envseal set A --ge; try envseal audit r\n'
              'try envseal run -s A -- --; try envseal nonsense x')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", binary()], env=vault.env, cwd=vault.work,
                          capture_output=True,
                          timeout=60)
    assert done.stderr == b""
    assert done.stdout.decode().split("\n") == ["show", "API_TOKEN", "DATABASE_URL", "--generate", "rotate", "", "", ""]
    for value in SECRETS.values():
        assert value not in done.stdout

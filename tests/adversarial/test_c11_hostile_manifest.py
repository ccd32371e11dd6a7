"""C11: a manifest cannot widen anything. Each run here would leave a mark if the program had started."""

import os
import pathlib
import re

import pytest

from envseal_support import PASSPHRASE, SECRETS, finish, masked

RIGHT = "API_TOKEN=API_TOKEN\n"
MIB = 1 << 20
MARK = "needle-Qx7"  # stands in the lines that must not be repeated


def write(vault, text):
    (vault.work / ".envseal").write_bytes(text if isinstance(text, bytes) else text.encode())


def refused(vault, *options, actions=("run", "inject"), **more):
    """A refusal of every command that reads a manifest. Nothing is executed, and nothing recorded. -> what `run` says"""
    before = vault.log.read_bytes()
    mark = vault.work / "executed"
    talks = []
    for action in actions:
        for words, passphrase in (([action], True), ([action, "--explain"], False)):
            result = vault.run(*words, *options, "--", "touch", mark, passphrase=passphrase, status=125, **more)
            assert result.out == b"" and result.talk.startswith(f"envseal: {action}: ")
            assert result.talk.count("\n") == 1 and result.talk.isprintable() is False and result.talk[:-1].isprintable()
            talks.append(result.talk)
    assert not mark.exists() and vault.log.read_bytes() == before
    return talks[0]


def test_a_right_one_runs(vault):
    """What the refusals below are measured against."""
    write(vault, RIGHT + 'PLAIN="text"\n')
    vault.ok("run", "--", "sh", "-c", 'touch executed; echo "$PLAIN $API_TOKEN" > /dev/null')
    assert (vault.work / "executed").exists()


# ------------------------------------------------------------------------------------------------------ what may be set


STEERING = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "HOME", "BASH_ENV", "ENV", "IFS", "PS4", "SHELLOPTS", "PYTHONPATH",
            "PYTHONSTARTUP", "NODE_OPTIONS", "PERL5OPT", "PERL5LIB", "RUBYOPT", "JAVA_TOOL_OPTIONS", "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT", "GIT_PAGER", "EDITOR", "PAGER", "LESSOPEN", "http_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "GCONV_PATH",
            "MAKEFLAGS", "TMPDIR", "ENVSEAL_HOME", "BASH_FUNC_ls", "DOCKER_HOST", "KUBECONFIG", "AWS_ENDPOINT_URL", "TERMINFO"]


@pytest.mark.parametrize("variable", STEERING)
def test_a_steering_variable_is_not_set(shared, variable):
    for line in (f'{variable}="{MARK}"', f"{variable}=API_TOKEN"):
        write(shared, f"{RIGHT}\n# a comment\n{line}\n")
        if variable == "BASH_FUNC_ls":
            line = line.replace(variable, "BASH_FUNC_ls%%")
            write(shared, f"{RIGHT}\n# a comment\n{line}\n")
        talk = refused(shared, actions=["run"])
        assert re.search(r"[ ,]line 4\b", talk), talk
        assert variable in talk or "%%" in line
        assert MARK not in talk


@pytest.mark.parametrize("line", [
    'A="() { :;}; touch executed"', 'TERM="../../x"', 'LANG="/x/locale"', 'LC_ALL="a/b"', 'TZ="/etc/x"', 'TZ=":../x"', "TERM=API_TOKEN",
    "LANG=API_TOKEN"])
def test_a_value_that_steers_is_not_set(shared, line):
    write(shared, f"{RIGHT}{line}\n")
    assert " line 2:" in refused(shared)


def test_a_profile_adds_nothing_to_what_may_be_set(vault):
    write(vault, f'{RIGHT}[one]\nLD_PRELOAD="{MARK}"\n[two]\nPATH=API_TOKEN\n')
    assert " line 3:" in refused(vault, "--profile", "one")
    assert " line 5:" in refused(vault, "-p", "two")


def test_keeping_a_variable_does_not_open_it_to_the_manifest(vault):
    """--keep-env lets the caller's own through, not one that a file in the project chose."""
    for line in (f'LD_PRELOAD="{MARK}"', "LD_PRELOAD=API_TOKEN"):
        write(vault, f"{RIGHT}{line}\n")
        assert " line 2:" in refused(vault, "--keep-env", "LD_PRELOAD", env={"LD_PRELOAD": None})


def test_a_secret_is_set_over_the_callers_variable_and_no_other(vault):
    write(vault, 'A="from the manifest"\nAPI_TOKEN=API_TOKEN\n')
    result = vault.ok("run", "--", "sh", "-c", 'echo "$A|$API_TOKEN|$PYTHONPATH"', env={"A": "x", "API_TOKEN": "y", "PYTHONPATH": "z"})
    assert result.text == f"from the manifest|{masked('API_TOKEN')}|\n"


# ------------------------------------------------------------------------------------------------------- what is written


LONG = "x" * 200
UNREADABLE = {
    # name: (text, line)
    "escape": (f'{RIGHT}A="{MARK}\x1b[2J"\n', 2), "escape in a comment": (f"# {MARK}\x1b]0;t\x07\n{RIGHT}", 1),
    "C1 control": (f'{RIGHT}\nA="{MARK}\u009b2J"\n', 3), "backspace": (f"{RIGHT}#{MARK}\b\b\b\n", 2), "delete": (f"{RIGHT}#\x7f\n", 2),
    "carriage return within": (f"{RIGHT}#{MARK}\rA=x\n", 2), "vertical tab": (f"{RIGHT}A=\vAPI_TOKEN\n", 2),
    "right-to-left override": (f'{RIGHT}A="\u202e{MARK}"\n', 2), "isolate": (f"{RIGHT}# \u2066{MARK}\u2069\n", 2),
    "right-to-left mark": (f"{RIGHT}# \u200f{MARK}\n", 2), "Arabic letter mark": (f"{RIGHT}# \u061c{MARK}\n", 2),
    "zero width": (f'{RIGHT}A="{MARK}\u200b"\n', 2), "byte order mark within": (f'{RIGHT}A="\ufeff{MARK}"\n', 2),
    "line separator": (f"{RIGHT}# {MARK}\u2028A=x\n", 2), "tag characters": (f"{RIGHT}# \U000e0041{MARK}\n", 2),
    "NUL": (f"{RIGHT}A=\0{MARK}\n", 2), "NUL in a comment": (f"{RIGHT}{RIGHT}#\0{MARK}\n", 3), "only NUL": (b"\0" * 4096, 1),
    "Latin-1": (f'{RIGHT}A="{MARK}\xe4"\n'.encode("latin-1"), 2), "overlong": (RIGHT.encode() + b'A="\xc0\xaf"\n', 2),
    "surrogate": (RIGHT.encode() + b'A="\xed\xa0\x80"\n', 2), "UTF-16": (f"{RIGHT}A={MARK}\n".encode("utf-16"), 1),
    "variable twice": (f'A=API_TOKEN\n\nA="{MARK}"\n', 3), "twice in a profile": (f'{RIGHT}[p]\nA="1"\n[q]\nA="1"\n[p]\nA="{MARK}"\n', 7),
    "variable with a blank": (f'{RIGHT}A B="{MARK}"\n', 2), "variable with a dash": (f'{RIGHT}A-B="{MARK}"\n', 2),
    "digit first": (f'{RIGHT}1A="{MARK}"\n', 2), "no variable": (f'{RIGHT}="{MARK}"\n', 2), "Unicode variable": (f'{RIGHT}ÄB="{MARK}"\n', 2),
    "export": (f'{RIGHT}export A="{MARK}"\n', 2), "no equals sign": (f"{RIGHT}{MARK}\n", 2), "no value": (f"{RIGHT}A=\n", 2),
    "not closed": (f'{RIGHT}A="{MARK}\n', 2), "closed in the next line": (f'{RIGHT}A="{MARK}\n{MARK}"\n', 2),
    "behind the text": (f'{RIGHT}A="x" {MARK}\n', 2), "unknown escape": (f'{RIGHT}A="{MARK}\\x1b[2J"\n', 2),
    "escape at the end": (f'{RIGHT}A="{MARK}\\\n', 2), "single quotes": (f"{RIGHT}A='{MARK}'\n", 2),
    "command": (f"{RIGHT}A=$(touch executed {MARK})\n", 2), "backticks": (f"{RIGHT}A=`{MARK}`\n", 2),
    "secret with a blank": (f"{RIGHT}A=API_TOKEN {MARK}\n", 2), "secret with dots": (f"{RIGHT}A=../{MARK}\n", 2),
    "absolute secret": (f"{RIGHT}A=/{MARK}\n", 2), "secret too long": (f"{RIGHT}A={LONG}\n", 2), "secret as a file": (f"{RIGHT}A=API_TOKEN:file\n", 2),
    "profile not closed": (f"{RIGHT}[{MARK}\n", 2), "profile without a name": (f"{RIGHT}[]\n", 2), "profile in two parts": (f"{RIGHT}[a/b]\n", 2),
    "profile and more": (f"{RIGHT}[a] {MARK}=x\n", 2), "profile twice open": (f"{RIGHT}[[{MARK}]]\n", 2),
    "profile with an escape": (f"{RIGHT}[\x1b[2J]\n", 2), "include": (f"{RIGHT}!include /etc/{MARK}\n", 2),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_its_line(shared, what):
    text, line = UNREADABLE[what]
    write(shared, text)
    talk = refused(shared, actions=["run"])
    assert re.search(rf", line {line}, column \d+: ", talk), talk
    assert MARK not in talk and LONG not in talk and "\ufffd" not in talk


@pytest.mark.parametrize("name", ["NO_SUCH_SECRET", "api_token", "API_TOKE", "API_TOKEN2", "team", "team/deploy-key/x"])
def test_an_unknown_secret(shared, name):
    """It is named: that is what to store, or the typing error to mend."""
    write(shared, f"{RIGHT}A={name}\n")
    assert name in refused(shared)


def test_an_unknown_profile_falls_back_to_nothing(shared):
    write(shared, f"{RIGHT}[prod]\nA=DATABASE_URL\n")
    for profile in ("PROD", "pro", "prod ", "", "[prod]"):
        assert "section" in refused(shared, "--profile", profile)


def test_too_large(vault):
    for size in (MIB + 1, 3 * MIB):
        write(vault, RIGHT + "#" * (size - len(RIGHT) - 1) + "\n")
        assert "1048576" in refused(vault)
    write(vault, RIGHT + "#" * (MIB - len(RIGHT) - 1) + "\n")
    vault.ok("run", "--", "true")
    write(vault, RIGHT + "".join(f'V{i}="{MARK}"\n' for i in range(4096)))
    assert "4096" in refused(vault)
    write(vault, RIGHT + "".join(f"[p{i}]\n" for i in range(257)))
    assert "256" in refused(vault)


# ------------------------------------------------------------------------------------------------------- whose file it is


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o646, 0o777])
def test_others_could_have_written_it(vault, mode):
    write(vault, RIGHT)
    (vault.work / ".envseal").chmod(mode)
    talk = refused(vault)
    assert "chmod go-w" in talk and f"{mode:04o}" in talk


def test_a_group_could_have_written_it(vault):
    """A group is somebody else unless it is the user's own of the same number."""
    write(vault, RIGHT)
    path = vault.work / ".envseal"
    path.chmod(0o660)
    groups = [group for group in os.getgroups() if group != os.getuid()] + [os.getgid()] * (os.getgid() != os.getuid())
    if groups:
        os.chown(path, -1, groups[0])
        assert "chmod go-w" in refused(vault)
    else:
        vault.ok("run", "--", "true")


def kinds_of_strange_files():
    yield "link", lambda path: path.symlink_to("real")
    yield "link to nothing", lambda path: path.symlink_to("nowhere")
    yield "link to itself", lambda path: path.symlink_to(path.name)
    yield "device", lambda path: path.symlink_to("/dev/zero")
    yield "fifo", os.mkfifo
    yield "folder", pathlib.Path.mkdir


@pytest.mark.parametrize("make", [pytest.param(make, id=what) for what, make in kinds_of_strange_files()])
def test_a_strange_file_is_passed_over(shared, tmp_path, make):
    """Upward, and where nothing is found nothing runs."""
    inner = tmp_path / "project/inner"
    inner.mkdir(parents=True)
    (inner / "real").write_text(f'WHICH="inner {MARK}"\n')
    make(inner / ".envseal")
    assert ".envseal" in refused(shared, cwd=inner, actions=["run"])
    (tmp_path / "project/.envseal").write_text('WHICH="outer"\n')
    result = shared.ok("run", "--", "sh", "-c", 'echo "$WHICH"', cwd=inner)
    assert result.text == "outer\n"


def test_an_unreadable_manifest_is_not_passed_over(vault):
    """The one above it might give another program's secrets."""
    inner = vault.work / "inner"
    inner.mkdir()
    write(vault, RIGHT)
    (inner / ".envseal").write_text(RIGHT)
    (inner / ".envseal").chmod(0)
    assert str(inner / ".envseal") in refused(vault, cwd=inner)


# --------------------------------------------------------------------------------------------------- what the human sees


def test_every_secret_is_in_the_approval_and_in_the_record(vault):
    write(vault, 'TOKEN=API_TOKEN\nPLAIN="text"\nHOST=DATABASE_URL\n[deploy]\nHOST="localhost"\nKEY=team/deploy-key\n')
    for options, wanted in (([], {"TOKEN": "API_TOKEN", "HOST": "DATABASE_URL"}),
                            (["-p", "deploy"], {"TOKEN": "API_TOKEN", "KEY": "team/deploy-key"})):
        child = vault.spawn("run", *options, "--", "true")
        child.expect("Passphrase to approve once: $")
        line = next(line for line in child.before.splitlines() if line.strip().startswith("secrets"))
        assert set(line.split(None, 1)[1].split(", ")) == {f"{name} as ${variable}" for variable, name in wanted.items()}
        child.send(PASSPHRASE + "\r")
        assert finish(child)[1] == 0
        recorded = vault.records(kind="run.intent")[-1]["secrets"]
        assert {entry["variable"]: entry["name"] for entry in recorded} == wanted


def test_a_text_does_not_reach_the_humans_screen(vault):
    """Text in quotes may hold newlines by escapes; it is for the program, and is nothing that the approval would show raw."""
    write(vault, f'{RIGHT}A="x\\n  program     /usr/bin/{MARK}\\n"\n')
    child = vault.spawn("run", "--", "true")
    child.expect("Passphrase to approve once: $")
    assert MARK not in child.before
    child.close(force=True)


def test_a_secrets_value_is_not_taken_from_the_manifest(vault):
    """A text that is a value would be one that was not sealed; it is not masked, as it is no secret of the run."""
    write(vault, f'API_TOKEN="{MARK}"\nB=API_TOKEN\n')
    result = vault.ok("run", "--", "sh", "-c", 'echo "$API_TOKEN $B"')
    assert result.text == f"{MARK} {masked('API_TOKEN')}\n"
    assert SECRETS["API_TOKEN"] not in vault.log.read_bytes()

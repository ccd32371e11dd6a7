"""Questions on the controlling terminal: what shows, what does not, and that the terminal is as before afterwards."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import termios

import pexpect
import pytest

from envseal_support import PASSPHRASE, PYTHON, SECRETS, finish, spawn

VALUE = "typed-Zx81-value"
DELETE, KILL_LINE, CONTROL_C, CONTROL_D, CONTROL_Z, CONTROL_BACKSLASH = "\x7f", "\x15", "\x03", "\x04", "\x1a", "\x1c"
TIOCGPTN = 0x80045430  # ioctl_tty(2); the module termios does not name it
AGAIN = "The same once more: $"


def answer(child, prompt, text):
    """Types when the question stands there: what came before it would be thrown away."""
    child.expect(prompt)
    child.send(text)


def modes(child):
    return termios.tcgetattr(child.child_fd)


@pytest.fixture
def prompt(vault):
    """`envseal set TYPED`, waiting at its first question."""
    child = vault.spawn("set", "TYPED")
    before = modes(child)
    child.expect("Value of TYPED: $")
    child.modes_before = before
    yield child
    child.close(force=True)


# ---------------------------------------------------------------------------------------------------------------- init


def test_init_asks_twice(no_vault):
    child = no_vault.spawn("init", "--pwhash", "interactive")
    answer(child, "New passphrase for the vault: $", PASSPHRASE + "\r")
    answer(child, AGAIN, PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "passphrase strength: 4 of 4" in text and "the vault is made" in text
    assert PASSPHRASE not in text
    no_vault.set("A", VALUE)


def test_init_mismatch(no_vault):
    child = no_vault.spawn("init", "--pwhash", "interactive")
    answer(child, "New passphrase for the vault: $", PASSPHRASE + "\r")
    answer(child, AGAIN, PASSPHRASE + "x\r")
    text, status = finish(child)
    assert status == 5 and "the two passphrases differ; nothing was made" in text
    assert not no_vault.database.exists()


def test_init_weak(no_vault):
    child = no_vault.spawn("init", "--pwhash", "interactive")
    answer(child, "New passphrase for the vault: $", "password1\r")
    answer(child, AGAIN, "password1\r")
    text, status = finish(child)
    assert status == 2 and "the passphrase is weak" in text and "--allow-weak" in text and "password1" not in text
    assert not no_vault.database.exists()


@pytest.mark.parametrize("text",
    ["grüße an die größte tür 77", "  blanks kept at both ends 77  ", "with\ttab and 'quotes\" 77"])
def test_a_passphrase_may_hold_anything_typed(no_vault, text):
    child = no_vault.spawn("init", "--pwhash", "interactive", "--allow-weak")
    answer(child, "New passphrase for the vault: $", text + "\r")
    answer(child, AGAIN, text + "\r")
    assert finish(child)[1] == 0
    no_vault.write_passphrase(text)
    no_vault.set("A", VALUE)


# --------------------------------------------------------------------------------------------------- typing and editing


def test_nothing_typed_shows(vault, prompt):
    prompt.send(VALUE + "\r")
    answer(prompt, "Passphrase: $", PASSPHRASE + "\r")
    text, status = finish(prompt)
    assert status == 0 and "TYPED is stored, version 1" in text
    assert VALUE not in text and PASSPHRASE not in text and vault.is_value("TYPED", VALUE)


def test_echo_is_off_while_the_question_stands(prompt):
    flags = modes(prompt)[3]
    assert not flags & termios.ECHO and not flags & termios.ICANON and not flags & termios.ISIG


@pytest.mark.parametrize("keys, value", [
    (f"wrong{DELETE * 5}{VALUE}", VALUE), (f"{VALUE}xyz\b\b\b", VALUE), (f"everything wrong{KILL_LINE}{VALUE}", VALUE),
    (f"{DELETE * 3}{VALUE}", VALUE), (f"{VALUE}ü{DELETE * 2}", VALUE),
    (f"tab\tand \x1b[A keys", "tab\tand \x1b[A keys"),
    ("x" * 4000 + "yz12", "x" * 4000 + "yz12")], ids=lambda text: repr(text)[:24])
def test_keys(vault, prompt, keys, value):
    prompt.send(keys + "\r")
    answer(prompt, "Passphrase: $", PASSPHRASE + "\r")
    assert finish(prompt)[1] == 0
    assert vault.is_value("TYPED", value)


def test_control_d_behind_text_ends_it(vault, prompt):
    prompt.send(VALUE + CONTROL_D)
    answer(prompt, "Passphrase: $", PASSPHRASE + "\r")
    assert finish(prompt)[1] == 0
    assert vault.is_value("TYPED", VALUE)


def test_an_empty_value(vault, prompt):
    prompt.send("\r")
    text, status = finish(prompt)
    assert status == 2 and "the value of TYPED is empty" in text and "TYPED" not in vault.names()


def test_no_passphrase(vault, prompt):
    prompt.send(VALUE + "\r")
    answer(prompt, "Passphrase: $", "\r")
    text, status = finish(prompt)
    assert status == 4 and "no passphrase was typed; nothing was done" in text and "TYPED" not in vault.names()


def test_a_wrong_passphrase(vault, prompt):
    prompt.send(VALUE + "\r")
    answer(prompt, "Passphrase: $", "guessed wrongly\r")
    text, status = finish(prompt)
    assert status == 5 and "guessed wrongly" not in text and "TYPED" not in vault.names()
    assert vault.records()[-1]["kind"] == "unlock.failed"


@pytest.mark.parametrize("paste",
    [f"{VALUE}\rrm -rf x\r", f"{VALUE}\nsecond\nthird\n", "one\r\n\r\n", f"{VALUE}\r{PASSPHRASE}\r"])
def test_several_pasted_lines_are_refused(vault, prompt, paste):
    """The rest would otherwise be answers to the next question, or commands for the shell."""
    prompt.send(paste)
    text, status = finish(prompt)
    assert status == 2 and "more than one line" in text and "--stdin" in text
    assert VALUE not in text and "TYPED" not in vault.names()


def test_what_was_typed_ahead_is_thrown_away(vault):
    # The question comes while an answer to it lies in the terminal already: it must not be taken.
    script = f'{PYTHON} -c "import sys; print(chr(62)); sys.stdin.readline(); print(60)"; exec "$@"'
    child = spawn(["/bin/sh", "-c", script, "sh", *vault.words(["set", "TYPED"], passphrase=False)], env=vault.env,
        cwd=vault.work)
    child.expect(">")
    child.send("go\rtyped ahead of the question\r")
    answer(child, "Value of TYPED: $", VALUE + "\r")
    answer(child, "Passphrase: $", PASSPHRASE + "\r")
    assert finish(child)[1] == 0
    assert vault.is_value("TYPED", VALUE)


# ----------------------------------------------------------------------------------------------- ways out of a question


@pytest.fixture
def parent(vault):
    """A shell that starts `envseal set TYPED` and goes on holding the terminal when it is gone."""
    script = 'echo begin; read word; "$@"; echo "status $?"; read word'
    child = spawn(["/bin/sh", "-c", script, "sh", *vault.words(["set", "TYPED"], passphrase=False)], env=vault.env,
        cwd=vault.work)
    child.expect("begin\r\n")
    child.modes_before = modes(child)
    child.sendline("go")
    child.expect("Value of TYPED: $")
    yield child
    child.close(force=True)


@pytest.mark.parametrize("keys, status, says", [
    (CONTROL_C, 4, "interrupted"), (CONTROL_BACKSLASH, 4, "interrupted"), (CONTROL_D, 4, "interrupted"),
    ("half" + CONTROL_C, 4, "interrupted"), ("\r", 2, "empty"), ("a\rb\r", 2, "more than one line")],
    ids=["^C", "^\\", "^D", "half^C", "empty", "paste"])
def test_every_way_out_puts_the_terminal_back(vault, parent, keys, status, says):
    assert modes(parent) != parent.modes_before
    parent.send(keys)
    parent.expect(rf"{says}.*status {status}")
    assert modes(parent) == parent.modes_before
    assert "TYPED" not in vault.names()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name)
def test_a_signal_at_the_question(vault, parent, number):
    """envseal ends by it, once the terminal is as it was."""
    with open(f"/proc/{parent.pid}/task/{parent.pid}/children") as children:
        os.kill(int(children.read()), number)
    parent.expect(rf"status {128 + number}")
    assert modes(parent) == parent.modes_before
    assert "TYPED" not in vault.names()


def test_the_terminal_goes_away(vault, prompt):
    prompt.close(force=False)
    assert "TYPED" not in vault.names()


def test_stop_at_the_question(vault):
    env = vault.env | {"PS1": "ready> ", "E": " ".join(vault.words(["set", "TYPED"], passphrase=False))}
    bash = spawn(["/bin/bash", "--norc", "--noprofile", "-i"], env=env, cwd=vault.work)
    bash.expect("ready> ")
    bash.sendline("bind 'set enable-bracketed-paste off'; stty -echo")
    bash.expect("ready> ")
    bash.sendline("$E")
    answer(bash, "Value of TYPED: $", "half" + CONTROL_Z)
    bash.expect("Stopped")
    bash.expect("ready> ")
    bash.sendline("fg")
    answer(bash, "Value of TYPED: $", KILL_LINE + VALUE + "\r")
    answer(bash, "Passphrase: $", PASSPHRASE + "\r")
    bash.expect("TYPED is stored")
    bash.expect("ready> ")
    bash.close(force=True)
    assert vault.is_value("TYPED", VALUE)


# ---------------------------------------------------------------------------------------------- redirected, no terminal


def test_the_terminal_is_asked_whatever_is_redirected(vault):
    script = '"$@" < /dev/null > out 2> err; echo "status $?"; read wait'
    child = spawn(["/bin/sh", "-c", script, "sh", *vault.words(["rename", "API_TOKEN", "NEW"], passphrase=False)],
        env=vault.env,
                  cwd=vault.work)
    answer(child, "Passphrase: $", PASSPHRASE + "\r")
    child.expect("status 0")
    assert (vault.work / "out").read_bytes() == b"" and "NEW" in (vault.work / "err").read_text()
    child.close(force=True)


@pytest.mark.parametrize("command, says", [
    (["set", "TYPED"], "--stdin"), (["set", "TYPED", "--generate", "20"], "--passphrase-fd"),
    (["init"], "there is a vault"),
    (["rename", "API_TOKEN", "B"], "--passphrase-file"), (["confirm", "API_TOKEN"], "waits"),
    (["audit", "verify"], "--passphrase-fd")],
    ids=" ".join)
def test_without_a_terminal(vault, command, says):
    result = vault.run(*command, passphrase=False)
    assert says in result.talk and result.status == (1 if says in ("there is a vault", "waits") else 4), result


def test_init_without_a_terminal(no_vault):
    result = no_vault.run("init", "--pwhash", "interactive", passphrase=False, status=4)
    assert "--passphrase-fd" in result.talk and "--passphrase-file" in result.talk
    assert not no_vault.database.exists()


# ---------------------------------------------------------------------------------------------------------- yes and no


@pytest.mark.parametrize("key, status",
    [("y", 0), ("Y", 0), ("n", 4), ("\r", 4), (" ", 4), (CONTROL_C, 4), (CONTROL_D, 4)],
                         ids=repr)
def test_rm_asks(vault, key, status):
    child = vault.spawn("rm", "API_TOKEN", "DATABASE_URL")
    answer(child, r"Remove API_TOKEN, DATABASE_URL with all versions\? \[y/N\] $", key)
    if status == 0:
        answer(child, "Passphrase: $", PASSPHRASE + "\r")
    text, ended = finish(child)
    assert ended == status, text
    assert ("API_TOKEN" in vault.names()) == (status != 0)


def test_confirm_shows_what_waits(vault):
    vault.ok("set", "NEW", "--generate", "20", "--locked", "--note", "from the agent", passphrase=False)
    vault.ok("set", "API_TOKEN", "--generate", "20", "--locked", "--force", passphrase=False)
    child = vault.spawn("confirm")
    child.expect(r"Take these values\? \[y/N\] $")
    assert re.search(r"NEW +stored while locked at \d{4}-", child.before) and "from the agent" in child.before
    assert re.search(r"API_TOKEN .*would replace a confirmed value", child.before)
    child.send("y")
    answer(child, "Passphrase: $", PASSPHRASE + "\r")
    assert finish(child)[1] == 0
    assert vault.entry("API_TOKEN")["value_version"] == 2


def test_confirm_of_a_name_shows_it_too(vault):
    vault.ok("set", "NEW", "--generate", "20", "--locked", "--note", "evil\x1b[2Jnote", passphrase=False)
    child = vault.spawn("confirm", "NEW")
    answer(child, "Passphrase: $", PASSPHRASE + "\r")
    assert "NEW  stored while locked" in child.before and "evil" in child.before and "\x1b" not in child.before
    assert finish(child)[1] == 0


# ------------------------------------------------------------------------------------------------------------- approval


def test_the_approval_shows_everything(vault):
    script = vault.work / "deploy"
    script.write_text("#!/bin/sh\necho deployed\n")
    script.chmod(0o755)
    child = vault.spawn("run", "-s", "API_TOKEN", "-s", "DATABASE_URL=F:file", "--keep-env", "LESS", "--", "./deploy",
        "a b", "\x1b[2J",
                        "it's", "", "ü", env={"LD_PRELOAD": "/x.so", "LESS": "-R"})
    child.expect("Passphrase to approve once: $")
    shown = child.before
    digest = subprocess.run(["b2sum", "--length=256", script], capture_output=True, text=True).stdout.split()[0]
    for text in ("a program asks for secrets (run)", f" ({os.getpid()})", "API_TOKEN as $API_TOKEN",
                 "DATABASE_URL as a file in $F", f"{script}  (a sealed copy of this file)", digest, "/usr/bin/dash",
                 "./deploy 'a b'",
                 r"'it\'s' ''", str(vault.work), "LESS", "LD_PRELOAD"):
        assert text in shown, text
    assert "\x1b" not in shown and "ü" not in shown
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "deployed" in text


def test_a_system_program_is_called_one(vault):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "true")
    answer(child, "Passphrase to approve once: $", PASSPHRASE + "\r")
    assert "/usr/bin/true  (a system file, only root can change it)" in child.before
    assert finish(child)[1] == 0


def test_what_does_not_fit_is_not_approved(vault):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "echo", "x" * 9000)
    text, status = finish(child)
    assert status == 125 and "put it into a script" in text and "to approve" not in text


@pytest.mark.parametrize("keys", ["\r", CONTROL_C, CONTROL_D], ids=repr)
def test_no_approval_no_run(vault, keys):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started > proof")
    answer(child, "Passphrase to approve once: $", keys)
    assert finish(child)[1] == 125
    assert not (vault.work / "proof").exists()
    record = vault.records()[-1]
    assert record["kind"] == "run.denied" and record["secrets"][0]["name"] == "API_TOKEN"
    vault.ok("set", "AFTER", "--generate", "20")
    assert vault.check()["ok"]


def test_a_run_on_a_terminal_masks_and_ends_well(vault):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "sh", "-c",
        'printf "type: "; read word; echo "$word $API_TOKEN"; exit 3')
    answer(child, "Passphrase to approve once: $", PASSPHRASE + "\r")
    child.expect("type: $")
    child.sendline("hello")
    text, status = finish(child)
    assert status == 3 and "hello [ENVSEAL:REDACTED API_TOKEN]" in text and SECRETS["API_TOKEN"].decode() not in text


def test_another_process_cannot_open_the_terminal_meanwhile(prompt):
    number = int.from_bytes(fcntl.ioctl(prompt.child_fd, TIOCGPTN, bytes(4)), "little")
    with pytest.raises(OSError) as refused:
        os.close(os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY))
    assert refused.value.errno == errno.EBUSY
    prompt.send(CONTROL_C)
    prompt.expect(pexpect.EOF)

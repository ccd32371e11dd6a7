"""`envseal approve`: requests wait for the human, on the human's own terminal."""

import signal
import subprocess

import pytest

from envseal_support import PASSPHRASE, PYTHON, binary, finish, spawn, wait_until

NOTHING = "nothing waits for approval; waiting for requests"
PROMPT = "to approve once: "
LIST = "Number to open .*: "
RUN = ["-s", "API_TOKEN", "--", "/bin/echo", "done"]


@pytest.fixture
def unlocked(vault):
    vault.unlock()
    return vault


def ask(vault, *options):
    return vault.popen("run", *options, *RUN, passphrase=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def console(vault, *options):
    child = vault.spawn("approve", *options)
    child.expect(NOTHING)
    return child


def ended(process):
    out, talk = process.communicate(timeout=60)
    return process.returncode, out, talk.decode()


def waiting(vault):
    return vault.ok("approve", "--list", "--json").json()["requests"]


def test_none_runs(vault):
    assert "nothing is unlocked; `envseal unlock` starts it" in vault.run("approve", "--list", status=4).talk
    text, status = finish(vault.spawn("approve"))
    assert status == 4 and "nothing is unlocked" in text


def test_usage(unlocked):
    unlocked.run("approve", "--json", status=2)
    unlocked.run("approve", "--list", "--once", status=2)
    assert "wants a terminal" in unlocked.run("approve", status=4).talk


def test_the_list(unlocked):
    assert "nothing waits" in unlocked.ok("approve", "--list").talk
    process = ask(unlocked, "--reason", "a\x1b[2Jtry")
    wait_until(lambda: waiting(unlocked))
    [found] = waiting(unlocked)
    assert set(found) == {"id", "action", "program", "secrets", "asker", "agent", "reason", "age", "left"}
    assert (found["action"], found["program"]) == ("run", "/usr/bin/echo")
    assert found["secrets"] == ["API_TOKEN as $API_TOKEN"] and found["reason"] == "a\\x1b[2Jtry"
    text = unlocked.ok("approve", "--list").text
    assert f"request     {found['id']}\n" in text and "secrets     API_TOKEN as $API_TOKEN\n" in text and "\x1b" not in text
    process.kill()
    process.communicate()
    wait_until(lambda: not waiting(unlocked))


def test_one_is_opened_at_once_and_approved(unlocked):
    child = console(unlocked)
    process = ask(unlocked)
    child.expect("\a")
    child.expect(PROMPT)
    child.send(PASSPHRASE + "\r")
    child.expect("envseal: approved")
    assert ended(process)[:2] == (0, b"done\n")
    child.expect(NOTHING)
    child.send("q\r")
    assert finish(child)[1] == 0


@pytest.mark.parametrize("key, said", [(PASSPHRASE, "approved"), ("d", "denied")])
def test_once(unlocked, key, said):
    child = console(unlocked, "--once")
    process = ask(unlocked)
    child.expect(PROMPT)
    child.send(key + "\r")
    text, status = finish(child)
    assert f"envseal: {said}" in text and status == (0 if said == "approved" else 1)
    assert ended(process)[0] == (0 if said == "approved" else 125)


def test_words_about_which_there_is_no_rule(unlocked):
    """As in tests/e2e/test_run.py: they arrive untouched."""
    words = ["", " ", "a b", "'", '"', "$HOME", "*", "--", "-s", "--help", "\n", "\x1b[31m", "ü", b"\xff\xfe", "x" * 1000]
    program = "import os, sys; os.write(1, repr([os.fsencode(word) for word in sys.argv[1:]]).encode())"
    child = console(unlocked, "--once")
    process = unlocked.popen("run", "-s", "API_TOKEN", "--", PYTHON, "-c", program, *words, passphrase=False,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.expect(PROMPT)
    child.send(PASSPHRASE + "\r")
    assert finish(child)[1] == 0
    status, out, _ = ended(process)
    assert (status, out.decode()) == (0, repr([word if isinstance(word, bytes) else word.encode() for word in words]))


def test_nothing_is_said_in_the_name_of_one_that_was_killed(unlocked):
    """Its shell shows a prompt by then."""
    process = ask(unlocked)
    wait_until(lambda: waiting(unlocked))
    process.kill()
    assert ended(process) == (-signal.SIGKILL, b"", "envseal: waiting for approval (envseal approve)\n")


def test_stopped_while_it_waits(unlocked):
    """A job that its shell has stopped begins when it goes on, whenever it was approved."""
    shell = spawn(["/bin/bash", "--norc", "--noprofile", "-i"], env=unlocked.env | {"PS1": "ready> "}, cwd=unlocked.work)
    shell.expect("ready> ")
    shell.sendline(f"{binary()} run -s API_TOKEN -- /bin/echo 'do''ne'")
    shell.expect("waiting for approval")
    wait_until(lambda: waiting(unlocked))
    shell.sendcontrol("z")
    shell.expect("Stopped")
    shell.expect("ready> ")
    child = unlocked.spawn("approve", "--once")
    child.expect(PROMPT)
    child.send(PASSPHRASE + "\r")
    assert finish(child)[1] == 0
    shell.sendline("fg; echo status $?")
    shell.expect("done\r\nstatus 0")
    assert "done" not in shell.before
    shell.close(force=True)


def test_a_wrong_passphrase_leaves_it_waiting(unlocked):
    child = console(unlocked)
    process = ask(unlocked)
    child.expect(PROMPT)
    child.send("not this one at all\r")
    child.expect("does not open this vault")
    child.expect("1 request waits")
    child.expect(LIST)
    child.send("\r")
    child.expect(PROMPT)
    child.send(PASSPHRASE + "\r")
    child.expect("envseal: approved")
    assert ended(process)[0] == 0


def test_several(unlocked):
    processes = [ask(unlocked), ask(unlocked)]
    wait_until(lambda: len(waiting(unlocked)) == 2)
    oldest, newest = [found["id"] for found in waiting(unlocked)]
    child = unlocked.spawn("approve")
    child.expect("2 requests wait")
    child.expect(LIST)
    child.send("4000000000\r")
    child.expect("No request 4000000000 waits")
    child.expect(LIST)
    child.send("x\r")
    child.expect("Type the number")
    child.expect(LIST)
    child.send(f"{newest}\r")
    child.expect(PROMPT)
    child.send("d\r")
    child.expect("envseal: denied")
    child.expect(PROMPT)
    assert [found["id"] for found in waiting(unlocked)] == [oldest]
    child.send("d\r")
    child.expect("envseal: denied")
    assert [ended(process)[0] for process in processes] == [125, 125]


def test_the_asker_goes_while_it_is_open(unlocked):
    child = console(unlocked)
    process = ask(unlocked)
    child.expect(PROMPT)
    process.kill()
    process.communicate()
    wait_until(lambda: not waiting(unlocked))
    child.send(PASSPHRASE + "\r")
    child.expect("envseal: the request has gone")
    child.expect(NOTHING)
    child.send("\x03")
    assert finish(child)[1] == 0


def test_another_console_answers(unlocked):
    first, second = console(unlocked), console(unlocked)
    process = ask(unlocked)
    first.expect(PROMPT)
    second.expect(PROMPT)
    first.send("d\r")
    first.expect("envseal: denied")
    assert ended(process)[0] == 125
    second.send("d\r")
    second.expect("envseal: the request has gone")


def test_ctrl_c_at_a_question(unlocked):
    child = console(unlocked)
    process = ask(unlocked)
    child.expect(PROMPT)
    child.send("\x03")
    text, status = finish(child)
    assert status == 0 and "still waits" in text
    assert len(waiting(unlocked)) == 1
    process.kill()
    process.communicate()


def test_the_broker_ends(unlocked):
    child = console(unlocked)
    unlocked.lock()
    text, status = finish(child)
    assert status == 4 and "the broker has locked" in text
    child = unlocked.spawn("approve", "--once")
    assert finish(child)[1] == 4


def test_stopped_and_resized(unlocked):
    environment = unlocked.environment({"PS1": "PROMPT> "})
    shell = spawn(["/bin/bash", "--norc", "-i"], env=environment, cwd=unlocked.work)
    shell.expect("PROMPT> ")
    shell.send(f"{binary()} approve\r")
    shell.expect(NOTHING)
    shell.send("\x1a")
    shell.expect("PROMPT> ")
    shell.send("fg\r")
    shell.expect(NOTHING)
    shell.setwinsize(10, 40)
    shell.kill(signal.SIGWINCH)
    shell.send("q\r")
    shell.expect("PROMPT> ")
    shell.send("echo status $? $(stty -a | grep -c ' echo ')\r")
    shell.expect("status 0 1\r\n")
    shell.send("exit\r")
    assert finish(shell)[1] == 0

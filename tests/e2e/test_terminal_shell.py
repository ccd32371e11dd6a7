"""Job control: envseal as a job of a shell, and a shell below envseal; compared with what the user sees plain."""

import os
import signal

import pytest

from envseal_support import PYTHON, is_alive, process_state, wait_gone, wait_until
from terminal_support import Ways, children_of

CONTROL_C, CONTROL_D, CONTROL_Z, CONTROL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"
BASH = ["bash", "--norc", "--noprofile", "-i"]
PROMPT = r"bash-5\.\d\$ $"

# A job that tells in a file what happens to it: nothing that it prints comes between what the shell prints.
JOB = """
import os, signal, sys, time
log = os.open(os.environ["REPORT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def tell(text): os.write(log, (text + "\\n").encode())
def in_front(): return os.tcgetpgrp(2) == os.getpgrp()
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGCONT, lambda *_: tell("continued"))
tell(str(os.getpid()))
seen = None
while True:
    if in_front() != seen:
        seen = in_front()
        tell("in front" if seen else "behind")
    time.sleep(0.005)
"""


@pytest.fixture(scope="module")
def ways(shared):
    (shared.work / "job.py").write_text(JOB)
    return Ways(shared)


class Job:
    """What the job in $REPORT has told."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        return self.path.read_text().split("\n")[:-1] if self.path.exists() else []

    def pid(self):
        wait_until(self.lines)
        return int(self.lines()[0])

    def wait(self, *texts):
        """For these to be the last it has told."""
        wait_until(lambda: len(self.lines()) > len(texts) and self.lines()[-len(texts):] == list(texts))

    def wait_stopped(self):
        wait_until(lambda: process_state(self.pid()) == "T")


class Shell:
    """An interactive bash in which $E is nothing or envseal, and $J the job."""

    def __init__(self, terminal, report):
        self.terminal, self.job = terminal, Job(report)

    def type(self, text, *expected):
        """A line, at the prompt; then the prompt again, with this before it."""
        self.start(text)
        for pattern in expected:
            self.terminal.expect(pattern)
        self.prompt()

    def start(self, text):
        self.terminal.send(text + "\r")
        self.terminal.expect("\x1b\\[\\?2004l\r")

    def start_in_front(self, text):
        """A line that gives the terminal to a job. A job that runs already is not told when it gets it."""
        self.start(text)
        wait_until(lambda: self.terminal.foreground() != self.terminal.pid)

    def start_and_stop(self):
        """The job, until it is stopped by the user."""
        self.start("$E $J")
        self.job.wait("in front")
        self.terminal.send(CONTROL_Z)
        self.prompt()
        self.job.wait_stopped()

    def prompt(self):
        self.terminal.expect(PROMPT)


def compare(ways, folder, dialogue, **more):
    """The dialogue with a shell, in which envseal is a job."""
    def play(terminal):
        shell = Shell(terminal, reports.pop(0))
        shell.prompt()
        dialogue(shell)
        if shell.job.lines():
            wait_gone(shell.job.pid())
        shell.terminal.send("exit 7\r")

    reports = [folder / "plain", folder / "sealed"]
    runs = {}
    for way, report in zip(("plain", "sealed"), list(reports)):
        env = {"E": " ".join(ways.words(way, [])), "J": f"{PYTHON} -I job.py", "REPORT": str(report)}
        runs[way] = ways.play("plain", BASH, play, env=env, **more)
    assert runs["sealed"] == runs["plain"]
    assert runs["plain"]["status"] == ("exited", 7)
    return runs["sealed"]


def compare_loosely(ways, folder, dialogue):
    """Where the shell's messages and the user's typing come at any time: only that the dialogue goes well both ways."""
    for way in ("plain", "sealed"):
        report = folder / way
        env = {"E": " ".join(ways.words(way, [])), "J": f"{PYTHON} -I job.py", "REPORT": str(report)}

        def play(terminal):
            shell = Shell(terminal, report)
            shell.prompt()
            dialogue(shell)
            terminal.send("exit 7\r")
        run = ways.play("plain", BASH, play, env=env)
    return run


# ----------------------------------------------------------------------------------------------------- envseal as a job


def test_stop_and_go_on_in_a_shell(ways, tmp_path):
    def dialogue(shell):
        shell.start_and_stop()
        shell.type("jobs", "Stopped")
        shell.type("bg")
        shell.job.wait("continued", "behind")
        shell.type("jobs", "Running")
        shell.start_in_front("fg")
        shell.terminal.send(CONTROL_Z)
        shell.prompt()
        shell.job.wait_stopped()
        shell.start("fg")
        wait_until(lambda: shell.job.lines().count("continued") == 2)
        shell.terminal.send(CONTROL_C)
        shell.prompt()
        shell.type("echo status $?", "status 130\r\n")
    compare(ways, tmp_path, dialogue)


@pytest.mark.parametrize("how, message", [
    ("kill %1", "Terminated"), ("kill -HUP %1; kill -CONT %1", "Hangup"), ("kill -KILL %1", "Killed"),
    ("kill -INT %1; kill -CONT %1", "")])
def test_killing_a_stopped_job(ways, tmp_path, how, message):
    def dialogue(shell):
        shell.start_and_stop()
        shell.type(how)
        wait_until(lambda: not any(is_alive(pid) for pid in children_of(shell.terminal.pid)))
        # It may have missed the news; the end of another child makes it look for all of them.
        shell.type("/bin/true")
        shell.type("jobs; echo none", "none\r\n")
        assert message.encode() in shell.terminal.output()
    compare_loosely(ways, tmp_path, dialogue)


def test_in_the_background_from_the_start(ways, tmp_path):
    def dialogue(shell):
        shell.type("ulimit -c 0")
        shell.type("$E $J &")
        shell.job.wait("behind")
        shell.type("jobs", "Running")
        shell.start_in_front("fg")
        shell.terminal.send(CONTROL_BACKSLASH)
        shell.prompt()
        shell.type("echo status $?", "status 131\r\n")
    compare(ways, tmp_path, dialogue)


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV], ids=lambda n: n.name)
def test_killed_from_elsewhere(ways, tmp_path, number):
    def dialogue(shell):
        shell.type("ulimit -c 0")
        shell.start("$E $J")
        shell.job.wait("in front")
        os.kill(shell.job.pid(), number)
        shell.prompt()
        shell.type("echo status $?", f"status {128 + number}\r\n")
        shell.type("stty -a")
    compare(ways, tmp_path, dialogue)


def test_reading_in_the_background_stops_the_job(ways, tmp_path):
    def dialogue(shell):
        shell.start("set -b; $E sh -c 'echo $$ > \"$REPORT\"; read -r x; echo \"got $x\"' &")
        shell.terminal.expect("Stopped")
        shell.job.wait_stopped()
        shell.terminal.send("\r")
        shell.prompt()
        shell.start_in_front("fg")
        shell.terminal.send("a line\r")
        shell.terminal.expect("got a line\r\n")
        shell.prompt()
    run = compare_loosely(ways, tmp_path, dialogue)
    assert run["status"] == ("exited", 7)


def test_both_ends_of_a_pipe(ways, tmp_path):
    def dialogue(shell):
        shell.start("$E $J | $E cat; echo \"${PIPESTATUS[*]}\"")
        shell.job.pid()
        shell.terminal.send(CONTROL_Z)
        shell.prompt()
        shell.job.wait_stopped()
        shell.start("fg")
        wait_until(lambda: process_state(shell.job.pid()) != "T")
        shell.terminal.send(CONTROL_C)
        shell.prompt()
    assert compare_loosely(ways, tmp_path, dialogue)["status"] == ("exited", 7)


def test_control_c_in_a_pipe(ways, tmp_path):
    def dialogue(shell):
        shell.start("$E $J | cat")
        shell.job.pid()
        shell.terminal.send(CONTROL_C)
        shell.prompt()
        shell.type("echo \"status $?\"", "status 130\r\n")
        shell.start("cat | $E $J")
        wait_until(lambda: len(set(line for line in shell.job.lines() if line.isdigit())) == 2)
        shell.terminal.send(CONTROL_C)
        shell.prompt()
        shell.type("echo \"status $?\"", "status 130\r\n")
    assert compare_loosely(ways, tmp_path, dialogue)["status"] == ("exited", 7)


def test_control_c_ends_the_script_around_it(ways, tmp_path):
    """A loop in a script ends with its program, as it does when both get the signal from the terminal."""
    script = 'for i in 1 2 3; do "$@"; done; echo not reached'
    for way in ("plain", "sealed"):
        report = tmp_path / way
        job = Job(report)

        def dialogue(terminal):
            job.wait("in front")
            terminal.send(CONTROL_C)
        words = ways.words(way, [PYTHON, "-I", "job.py"])
        run = ways.play("plain", ["bash", "-c", script, "bash", *words], dialogue, env={"REPORT": str(report)})
        assert run["status"] == ("killed", signal.SIGINT), way
        assert run["terminal"] == b"^C" and job.lines()[1:] == ["in front"]


def test_a_script_that_handles_control_c(ways, tmp_path):
    script = 'trap "echo cleaned up; exit 9" INT; "$@"; echo status $?'
    for way in ("plain", "sealed"):
        report = tmp_path / way
        words = ways.words(way, [PYTHON, "-I", "job.py"])

        def dialogue(terminal):
            Job(report).wait("in front")
            terminal.send(CONTROL_C)
        run = ways.play("plain", ["bash", "-c", script, "bash", *words], dialogue, env={"REPORT": str(report)})
        assert run["status"] == ("exited", 9) and run["terminal"] == b"^Ccleaned up\r\n", way


# ------------------------------------------------------------------------------------------------ a shell below envseal


def test_job_control_below_envseal(ways, tmp_path):
    reports = {way: tmp_path / way for way in ("plain", "sealed")}
    waiting = list(reports.values())

    def dialogue(terminal):
        shell = Shell(terminal, waiting.pop(0))
        shell.prompt()
        shell.type("tty; stty size; echo $-", "/dev/pts/.*24 80\r\n[a-zA-Z]*m")
        shell.start("$J")
        shell.job.wait("in front")
        terminal.send(CONTROL_Z)
        shell.prompt()
        shell.job.wait_stopped()
        shell.type("jobs", "Stopped")
        shell.type("bg")
        shell.job.wait("continued", "behind")
        shell.start("fg")
        shell.job.wait("in front")
        terminal.send(CONTROL_C)
        shell.prompt()
        shell.type("echo status $?", "status 130\r\n")
        shell.type("echo wrong\x7f\x7f\x7f\x7f\x7fright", "right\r\n")
        shell.type("sleep 0 & wait; echo over", "over\r\n")
        terminal.resize(30, 100)
        shell.type("stty size", "30 100\r\n")
        terminal.send("exit 7\r")
        return shell.job.lines()[1:]
    run = ways.compare(BASH, dialogue, lambda way: {"env": {"J": f"{PYTHON} -I job.py", "REPORT": str(reports[way])}})
    assert run["status"] == ("exited", 7)


def test_the_end_of_input_ends_the_shell(ways):
    def dialogue(terminal):
        terminal.say(PROMPT, "echo $((6 * 7))\r")
        terminal.say("42\r\n.*" + PROMPT, CONTROL_D)
    assert ways.compare(BASH, dialogue)["status"] == ("exited", 0)


def test_a_shell_below_envseal_is_suspended(ways, tmp_path):
    """`suspend` stops the shell itself; the shell outside takes over, and `fg` brings it back."""
    def dialogue(shell):
        shell.start("$E " + " ".join(BASH))
        shell.prompt()
        shell.type("echo $((6 * 7))", "42\r\n")
        shell.start("suspend")
        shell.terminal.expect("Stopped")
        shell.prompt()
        shell.start("fg")
        shell.prompt()
        shell.type("echo $((6 * 8))", "48\r\n")
        shell.start("exit 3")
        shell.prompt()
        shell.type("echo status $?", "status 3\r\n")
    compare(ways, tmp_path, dialogue)


@pytest.mark.parametrize("shell", ["zsh -f -i", "fish --no-config", "dash -i"])
def test_other_shells(ways, shell):
    def dialogue(terminal):
        terminal.say("[%>$#] ", "echo begun; sh -c 'echo $$-; exec sleep 1000'\r")
        terminal.say(r"\n\d+-\r\n", CONTROL_C)
        terminal.say("[%>$#] ", "sh -c 'exit 5'\r")
        terminal.say("[%>$#] ", "exit 7\r")
    run = ways.compare(shell.split(), dialogue, leave_out=["terminal"])
    assert run["status"] == ("exited", 7)

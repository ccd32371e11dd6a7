"""Signals and ends, with every mixture of terminal and pipe: once each, the right status, and a terminal as before."""

import os
import signal

import pytest

from envseal_support import PYTHON, process_state, wait_gone, wait_until
from terminal_support import PIPE, Ways

# Where the standard streams are; where there is a terminal at all, it is the controlling one.
PLACES = {
    "terminal": {},
    "output-piped": {"stdout": PIPE},
    "talk-piped": {"stderr": PIPE},
    "only-input": {"stdout": PIPE, "stderr": PIPE},
    "only-output": {"stdin": PIPE, "stderr": PIPE},
    "only-talk": {"stdin": PIPE, "stdout": PIPE},
    "elsewhere": {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE},
    "none": {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "has_terminal": False},
}
ON_TERMINAL = [name for name in PLACES if name != "none"]
KEYS = {signal.SIGINT: "\x03", signal.SIGQUIT: "\x1c", signal.SIGTSTP: "\x1a"}
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
PASSED_ON = [*ENDING, signal.SIGUSR1, signal.SIGWINCH, signal.SIGCONT]

# Writes down every signal it gets, and ends with USR2. Nothing is lost: they wait until it asks for the next.
RECORDER = """
import os, signal
watched = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
           signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE]
signal.pthread_sigmask(signal.SIG_BLOCK, watched)
log = os.open(os.environ["REPORT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(log, b"%d\\n" % os.getpid())
number = 0
while number != signal.SIGUSR2:
    number = signal.sigwait(watched)
    os.write(log, signal.Signals(number).name.encode() + b"\\n")
"""
RECORD = [PYTHON, "-I", "-c", RECORDER]
SLEEP = ["sh", "-c", 'echo $$ > "$REPORT"; exec sleep 1000']
RAW = [PYTHON, "-I", "-c", """
import os, signal, sys, tty
tty.setraw(2)
with open(os.environ["REPORT"], "w") as file: file.write("%d\\n" % os.getpid())
sys.stdin.read(1)
"""]


@pytest.fixture(scope="module")
def ways(shared):
    return Ways(shared)


class Run:
    """A program that writes to $REPORT, first its number."""

    def __init__(self, ways, way, folder, program, place="terminal", **more):
        self.report = folder / f"report-{way}"
        self.terminal = ways.start(way, *program, env={"REPORT": str(self.report)}, **PLACES[place], **more)
        wait_until(self.lines)
        self.program = int(self.lines()[0])

    def lines(self):
        text = self.report.read_text() if self.report.exists() else ""
        return text.split("\n")[:-1]

    def hit(self, target, number):
        if target == "keys":
            self.terminal.send(KEYS[number])
        elif target == "group":
            self.terminal.kill_group(number)
        else:
            os.kill(self.terminal.pid if target == "envseal" else self.program, number)

    def finish(self):
        status = self.terminal.finish()
        wait_gone(self.program)
        return status

    def is_restored(self):
        return self.terminal.master < 0 or self.terminal.modes() == self.terminal.modes_before

    def __enter__(self):
        self.terminal.__enter__()
        return self

    def __exit__(self, *error):
        return self.terminal.__exit__(*error)


def cases(places, targets, numbers):
    """Every mixture that there is."""
    for place in places:
        for target in targets:
            for number in numbers:
                if target != "keys" or (number in KEYS and place != "none"):
                    yield pytest.param(place, target, number, id=f"{place}-{target}-{number.name}")


# ----------------------------------------------------------------------------------------------------------- once each


def record_signals(ways, folder, place, target, numbers):
    """Each is sent when the one before it has arrived, and the last one ends the program."""
    for way in ("plain", "sealed"):
        with Run(ways, way, folder, RECORD, place) as run:
            for count, number in enumerate(numbers, 2):
                run.hit(target, number)
                wait_until(lambda: len(run.lines()) >= count)
            run.hit("envseal", signal.SIGUSR2)
            assert run.finish() == ("exited", 0)
            assert run.lines()[1:] == [number.name for number in [*numbers, signal.SIGUSR2]], way
            assert run.is_restored()


@pytest.mark.parametrize("target", ["envseal", "group"])
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_arrives_once(ways, tmp_path, place, target):
    record_signals(ways, tmp_path, place, target, PASSED_ON * 2)


@pytest.mark.parametrize("place", ON_TERMINAL)
def test_a_key_arrives_once(ways, tmp_path, place):
    """Where no stream is a terminal, Ctrl-Z stops envseal, and the program with it, instead of asking it to stop."""
    keys = [number for number in KEYS if place != "elsewhere" or number != signal.SIGTSTP]
    record_signals(ways, tmp_path, place, "keys", keys * 2)


@pytest.mark.parametrize("place", ON_TERMINAL)
def test_a_new_size_arrives_once(ways, tmp_path, place):
    for way in ("plain", "sealed"):
        with Run(ways, way, tmp_path, RECORD, place) as run:
            for rows in (30, 40):
                before = len(run.lines())
                run.terminal.resize(rows, 90)
                wait_until(lambda: len(run.lines()) > before)
            run.hit("envseal", signal.SIGUSR2)
            assert run.finish() == ("exited", 0)
            assert run.lines()[1:] == ["SIGWINCH", "SIGWINCH", "SIGUSR2"], way


# ------------------------------------------------------------------------------------------------------------- the ends


@pytest.mark.parametrize("place, target, number",
    [*cases(["terminal", "output-piped", "none"], ["envseal", "program", "group", "keys"], ENDING),
     *cases(["only-input", "only-output", "only-talk", "elsewhere"], ["envseal", "keys"], [signal.SIGINT]),
     *cases(["terminal", "output-piped", "none"], ["program"], [signal.SIGKILL]),
     *cases(["terminal"], ["program"], [signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGALRM])])
def test_the_end_by_a_signal(ways, tmp_path, place, target, number):
    for way in ("plain", "sealed"):
        with Run(ways, way, tmp_path, SLEEP, place) as run:
            run.hit(target, number)
            assert run.finish() == ("killed", number), way
            assert run.is_restored()


@pytest.mark.parametrize("place, target, number", cases(PLACES, ["envseal", "group"], [signal.SIGKILL]))
def test_envseal_is_killed(ways, tmp_path, place, target, number):
    with Run(ways, "sealed", tmp_path, SLEEP, place) as run:
        run.hit(target, number)
        assert run.finish() == ("killed", number)
        wait_until(run.is_restored)


@pytest.mark.parametrize("status", [0, 1, 125, 130, 255])
def test_statuses(ways, status):
    assert ways.compare(["sh", "-c", f"exit {status}"])["status"] == ("exited", status)


# -------------------------------------------------------------------------------------- no terminal is left in raw mode


@pytest.mark.parametrize("place, target, number", [
    *cases(["terminal"], ["envseal", "program", "group"], [*ENDING, signal.SIGKILL]),
    *cases(["output-piped", "only-talk"], ["envseal", "program", "group"], [signal.SIGTERM, signal.SIGKILL]),
    *cases(["terminal"], ["program"], [signal.SIGSEGV, signal.SIGABRT])])
def test_no_terminal_is_left_raw(ways, tmp_path, place, target, number):
    with Run(ways, "sealed", tmp_path, RAW, place) as run:
        run.hit(target, number)
        assert run.finish() == ("killed", number)
        wait_until(run.is_restored)


def test_no_terminal_is_left_raw_by_a_program_that_ends(ways, tmp_path):
    with Run(ways, "sealed", tmp_path, RAW) as run:
        run.terminal.send("x")
        assert run.finish() == ("exited", 0)
        assert run.is_restored()


def test_a_program_in_raw_mode_gets_the_keys(ways, tmp_path):
    """Typed keys are no signals then; plain as below envseal."""
    for way in ("plain", "sealed"):
        with Run(ways, way, tmp_path, RAW) as run:
            run.terminal.send("\x03")
            assert run.finish() == ("exited", 0)


# ------------------------------------------------------------------------------------------------------ stop and go on


STOPS = [*cases(PLACES, ["envseal", "keys"], [signal.SIGTSTP]),
         *cases(["terminal", "none"], ["group"], [signal.SIGTSTP]),
         *cases(["terminal", "output-piped", "none"], ["program"], [signal.SIGSTOP])]


@pytest.mark.parametrize("place, target, number", STOPS)
def test_stop_and_go_on(ways, tmp_path, place, target, number):
    """The job stops as a whole, the terminal is the shell's as it was, and after `fg` the program is running again."""
    with Run(ways, "sealed", tmp_path, SLEEP, place) as run:
        for _ in range(2):
            run.hit(target, number)
            assert run.terminal.stopped() in (signal.SIGTSTP, signal.SIGSTOP)
            wait_until(lambda: process_state(run.program) == "T")
            assert run.is_restored()
            run.terminal.go_on()
            wait_until(lambda: process_state(run.program) == "S")
        run.hit("envseal", signal.SIGTERM)
        assert run.finish() == ("killed", signal.SIGTERM)
        assert run.is_restored()


def test_a_program_in_raw_mode_stops(ways, tmp_path):
    with Run(ways, "sealed", tmp_path, RAW) as run:
        run.hit("program", signal.SIGSTOP)
        run.terminal.stopped()
        assert run.is_restored()
        run.terminal.go_on()
        wait_until(lambda: not run.is_restored())
        run.terminal.send("x")
        assert run.finish() == ("exited", 0)
        assert run.is_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_the_end_of_a_stopped_job(ways, tmp_path, number):
    """What `kill %1` of a shell does: the signal, and then CONT."""
    with Run(ways, "sealed", tmp_path, SLEEP) as run:
        run.hit("keys", signal.SIGTSTP)
        run.terminal.stopped()
        run.hit("group", number)
        run.terminal.go_on("bg")
        assert run.finish() == ("killed", number)
        wait_until(run.is_restored)


# ------------------------------------------------------------------------------------------------- the window is closed


@pytest.mark.parametrize("place", ON_TERMINAL)
def test_the_window_is_closed(ways, tmp_path, place):
    for way in ("plain", "sealed"):
        with Run(ways, way, tmp_path, SLEEP, place) as run:
            run.terminal.hang_up()
            assert run.finish() == ("killed", signal.SIGHUP), way


def test_the_window_is_closed_on_a_program_that_does_not_mind(ways, tmp_path):
    """It reads the end of its input, and cannot write any more."""
    program = """
import errno, os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
log = os.open(os.environ["REPORT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(log, b"%d\\n" % os.getpid())
def name(call):
    try: return "end" if not call() else "went"
    except OSError as error: return errno.errorcode[error.errno]
read = name(lambda: os.read(0, 1))
os.write(log, ("%s\\n" % (read in ("end", "EIO"))).encode())
while name(lambda: os.write(1, b"x")) == "went": pass
os.write(log, b"over\\n")
raise SystemExit(9)
"""
    for way in ("plain", "sealed"):
        with Run(ways, way, tmp_path, [PYTHON, "-I", "-c", program]) as run:
            run.terminal.hang_up()
            assert run.finish() == ("exited", 9), way
            assert run.lines()[1:] == ["True", "over"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT], ids=lambda n: n.name)
def test_ignored_from_the_start(ways, tmp_path, number):
    """nohup: neither of the two minds."""
    program = ["sh", "-c", 'echo $$ > "$REPORT"; read -r x; exit 6']
    for way in ("plain", "sealed"):
        with Run(ways, way, tmp_path, program, ignored=[number]) as run:
            run.hit("envseal", number)
            run.hit("group", number)
            run.terminal.send("\r")
            assert run.finish() == ("exited", 6), way

"""Programs on a terminal, each run twice, plain and below envseal: same bytes on the screen, same exit status, same
modes of the terminal afterwards."""

import hashlib
import json
import os
import subprocess

import pytest

from envseal_support import PYTHON
from terminal_support import COLUMNS, PIPE, ROWS, Screens, Ways

CONTROL_C, CONTROL_D = "\x03", "\x04"

# What a program can find out about its standard streams. Goes to a file, since the streams may be anything.
PROBE = """
import fcntl, json, os, stat, struct, sys, termios
def look(fd):
    try: info = os.fstat(fd)
    except OSError: return "closed"
    if not os.isatty(fd): return stat.filemode(info.st_mode)[0] if fd == 0 else "no terminal"
    size = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    modes = [item if not isinstance(item, list) else [str(byte) for byte in item] for item in termios.tcgetattr(fd)]
    try: group = os.tcgetpgrp(fd) == os.getpgrp()
    except OSError as error: group = error.errno
    return ["terminal", os.ttyname(fd).startswith("/dev/pts/"), size, modes, group, fcntl.fcntl(fd, fcntl.F_GETFL) & 3]
def same(): return len({os.ttyname(fd) for fd in range(3) if look(fd)[0] == "terminal"})
def controlling():
    try: fd = os.open("/dev/tty", os.O_RDWR)
    except OSError as error: return error.errno
    os.close(fd)
    return "there"
found = {"streams": [look(fd) for fd in range(3)], "terminals": same(), "term": os.environ["TERM"]}
if found["terminals"]: found["controlling"] = controlling()
with open(os.environ["REPORT"], "w") as file: json.dump(found, file)
"""


@pytest.fixture(scope="module")
def ways(shared):
    return Ways(shared)


@pytest.fixture
def texts(ways):
    """A file of many lines."""
    path = ways.vault.work / "lines.txt"
    path.write_text("".join(f"line {number} of the text\n" for number in range(1, 301)))
    return path


# ------------------------------------------------------------------------------------------------- what a program finds


def open_streams(case, folder):
    """What a shell would open for these redirections. -> arguments of Terminal, and what is to be closed again"""
    arguments, opened, closed = {}, [], []
    for number, (name, kind) in enumerate(zip(("stdin", "stdout", "stderr"), case)):
        if kind == "closed":
            closed.append(number)
        elif kind == "pipe":
            arguments[name] = PIPE
        elif kind in ("file", "null"):
            path = "/dev/null" if kind == "null" else folder / f"{name}.txt"
            opened.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            arguments[name] = opened[-1]
    return arguments | {"closed": closed}, opened


REDIRECTIONS = [
    "tty tty tty", "tty pipe tty", "tty tty pipe", "tty tty file", "tty pipe pipe", "pipe tty tty", "file tty tty",
    "null tty tty", "null null tty", "null null null", "pipe pipe tty", "file file file", "pipe pipe pipe",
    "tty file file", "closed tty tty", "tty closed tty", "tty tty closed", "closed closed tty", "closed tty closed",
    "closed closed closed", "tty closed closed", "closed pipe tty"]


def leave_out_group(streams):
    for stream in streams:
        if stream[0] == "terminal":
            stream.pop(4)


@pytest.mark.parametrize("case", REDIRECTIONS)
def test_what_a_program_finds_on_its_streams(ways, case, tmp_path):
    found = {}
    for way in ("plain", "sealed"):
        arguments, opened = open_streams(case.split(), tmp_path)
        result = ways.play(way, [PYTHON, "-c", PROBE], None, env={"REPORT": str(tmp_path / way)}, **arguments)
        for descriptor in opened:
            os.close(descriptor)
        assert result["status"] == ("exited", 0), result
        found[way] = json.loads((tmp_path / way).read_text()), result
        if "pipe" in case.split()[:2]:
            # Others of the pipeline may read the terminal: envseal's program gets it when it reads, and not before.
            leave_out_group(found[way][0]["streams"])
    assert found["sealed"] == found["plain"]


@pytest.mark.parametrize("program", [
    "stty size", "stty -a", "tty", "stty size < /dev/tty", "tput cols; tput lines",
    "test -t 0 && test -t 1 && test -t 2",
    "ls --color=auto -d / /bin /usr/bin/less", "echo $TERM", "exit 7", "kill -TERM $$", "kill -KILL $$",
    "kill -SEGV $$", "printf 'no newline'", "printf 'a\\nb\\r\\nc\\td\\0e\\n'",
    "printf '\\033[31mred\\033[0m\\033]0;title\\007\\n'", "printf '\\377\\376\\n'",
    "echo out; echo err >&2; echo out; echo err >&2", "seq 5000", "seq 20000 | tail -n 2; exit 3",
    "for i in 1 2 3 4 5 6 7 8 9; do printf '\\rdone %d0 %%' $i; done; echo", "(sleep 0 &) ; wait",
    "head -c 200000 /bin/bash | base64"])
def test_what_a_program_prints(ways, program):
    run = ways.compare(["bash", "-c", program])
    assert run["modes"]["lflag"] == 0o105073


@pytest.mark.parametrize("size", [(1, 1), (24, 80), (50, 200), (0, 0), (500, 1000)], ids=str)
def test_the_size_of_the_terminal(ways, size):
    assert ways.compare(["stty", "size"], size=size)["terminal"] == b"%d %d\r\n" % size


@pytest.mark.parametrize("term", ["dumb", "vt100", "xterm", "tmux-256color"])
def test_the_kind_of_the_terminal(shared, term):
    assert term.encode() in Ways(shared, term).compare(["sh", "-c", "echo $TERM; tput bold"])["terminal"]


def test_the_modes_of_the_terminal_are_found_as_they_were(ways):
    """The program gets what the caller had set, not what a new terminal has."""
    for way in ("plain", "sealed"):
        script = 'stty -echo intr ^A erase ^B -ixon ocrnl; "$@"; stty sane; stty intr ^C erase ^?'
        with ways.start("plain", "sh", "-c", script, "sh", *ways.words(way, ["stty", "-a"])) as terminal:
            assert terminal.finish() == ("exited", 0)
            found = terminal.output()
        assert b"intr = ^A" in found and b"erase = ^B" in found and b" -echo " in found and b"-ixon" in found


@pytest.fixture(scope="module")
def repository(ways):
    folder = ways.vault.work / "repository"
    folder.mkdir()
    who = {"NAME": "x", "EMAIL": "x@example.org", "DATE": "1700000000 +0000"}
    env = ways.env | {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in who.items()}
    for number in range(40):
        (folder / "file").write_text(f"one\ntwo\n{number}\n")
        for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", f"number {number}"]):
            if command[0] != "init" or number == 0:
                subprocess.run(["git", *command], cwd=folder, env=env, check=True, capture_output=True)
    (folder / "file").write_text("one\n2\n")
    return folder


@pytest.mark.parametrize("arguments", [
    "-c color.ui=auto diff", "-c color.ui=auto status", "-c color.ui=auto log -n 3",
    "--no-pager log --graph --oneline"])
def test_colours_of_git(ways, repository, arguments):
    run = ways.compare(["git", *arguments.split()], cwd=repository)
    assert b"\x1b[" in run["terminal"]


def test_git_starts_its_pager(ways, repository):
    def dialogue(terminal):
        terminal.say("number 36.*:\x1b\\[K", " ")
        terminal.say("number 33.*:\x1b\\[K", "q")
    assert ways.compare(["git", "log"], dialogue, cwd=repository)["status"] == ("exited", 0)


# ------------------------------------------------------------------------------------------------------------- dialogue


def test_lines_typed_and_the_end_of_input(ways):
    def dialogue(terminal):
        terminal.say("ready\r\n", "one\r")
        terminal.say("one\r\none\r\n", "two\x7f\x7fX\r")
        terminal.say("tX\r\n", "no newline" + CONTROL_D)
        terminal.say("no newlineno newline", CONTROL_D)
    assert ways.compare(["sh", "-c", "echo ready; exec cat"], dialogue)["status"] == ("exited", 0)


def test_control_d_typed_ahead(ways):
    assert ways.compare(["wc", "-c"], lambda terminal: terminal.send(CONTROL_D))["terminal"] == b"0\r\n"


ASK_ON_DEV_TTY = """
exec 3<>/dev/tty; stty -echo <&3
printf "Password: " >&3; read x <&3
stty echo <&3; echo "got ${#x}"
"""


@pytest.mark.parametrize("program", [
    ["sh", "-c", 'stty -echo; printf "Password: "; read x; stty echo; echo; echo "got ${#x}"'],
    ["sh", "-c", ASK_ON_DEV_TTY],
    [PYTHON, "-c", "import getpass; print('got', len(getpass.getpass()))"]], ids=["read", "tty", "getpass"])
def test_a_password_prompt_without_echo(ways, program):
    run = ways.compare(program, lambda terminal: terminal.say("Password: ", "typed-in-the-dark\r"))
    assert b"got 17" in run["terminal"] and b"dark" not in run["terminal"]


def test_a_password_prompt_with_the_streams_elsewhere(ways, tmp_path):
    """As ssh asks: on the controlling terminal, whatever stdin and stdout are."""
    with open("/dev/null") as null:
        run = ways.compare(["sh", "-c", ASK_ON_DEV_TTY], lambda terminal: terminal.say("Password: ", "in the dark\r"),
                           stdin=null, stdout=PIPE)
    assert run["stdout"] == b"got 11\n"


def test_python(ways):
    def dialogue(terminal):
        terminal.say(">>> ", "6 * 77\r")
        terminal.say("462\r\n.*>>> ", "import os, sys, time\r")
        terminal.say(">>> ", "sys.stdin.isatty(), sys.stdout.isatty(), os.get_terminal_size()[0]\r")
        terminal.say("True, True, 80.*>>> ", "prinX\x7ft('ab'\x02\x02c\x05)\r")  # line editing
        # Said where it is interrupted, so that the traceback is always the same.
        terminal.say("acb\r\n.*>>> ", "[time.sleep(0.01) if n else print('begun') for n in range(10**5)]\r")
        terminal.say("begun\r\n", CONTROL_C)
        terminal.say("KeyboardInterrupt\r\n.*>>> ", "\x1b[A\x1b[A\r")  # history
        terminal.say("acb\r\n.*>>> ", CONTROL_D)
    # Isolated: no history file. The modes are readline's.
    run = ways.compare([PYTHON, "-I", "-i", "-c", "import readline"], dialogue)
    assert run["status"] == ("exited", 0)


def test_sqlite3(ways):
    def dialogue(terminal):
        terminal.say("sqlite> ", "create table t(a, b); insert into t values (1, 'x'), (2, 'y');\r")
        terminal.say("sqlite> ", ".mode box\r")
        terminal.say("sqlite> ", "select * from t;\r")
        terminal.say("│ 2 │ y │.*sqlite> ", "select * from\r")
        terminal.say("\\.\\.\\.> ", "nowhere;\r")
        terminal.say("no such table.*sqlite> ", CONTROL_D)
    assert ways.compare(["sqlite3"], dialogue)["status"] == ("exited", 1)  # the last statement failed


def test_a_program_reads_a_script_and_then_the_terminal(ways):
    def dialogue(terminal):
        terminal.say("file> ", "from the terminal\r")
    program = ["bash", "-c", 'read -r x < "$0"; read -rp "$x> " y; echo "<$y>"', "lines"]
    (ways.vault.work / "lines").write_text("file\n")
    assert b"<from the terminal>" in ways.compare(program, dialogue)["terminal"]


# ------------------------------------------------------------------------------------------------------- much at a time


LINES = b"".join(b"%06d %s\r" % (number, b"pasted text " * 5) for number in range(1500))  # 100 kB


def test_a_paste_of_lines(ways, tmp_path):
    def paste(way):
        return {"env": {"OUT": str(tmp_path / way)}}

    def dialogue(terminal):
        terminal.say("ready", LINES + CONTROL_D.encode())
        terminal.expect("done")
    # What is echoed is left out of the comparison: the kernel drops echoes when it has too many of them.
    ways.compare(["sh", "-c", 'printf ready; cat > "$OUT"; printf done'], dialogue, paste, leave_out=["terminal"])
    for way in ("plain", "sealed"):
        assert (tmp_path / way).read_bytes() == LINES.replace(b"\r", b"\n")


def test_a_paste_into_a_program_in_raw_mode(ways):
    data = bytes(range(256)) * 400
    program = f"""
import hashlib, os, sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
os.write(1, b"ready")
block, digest, left = b"", hashlib.sha256(), {len(data)}
while left > 0:
    block = os.read(0, 65536)
    digest.update(block)
    left -= len(block)
termios.tcsetattr(0, termios.TCSADRAIN, before)
print(left, digest.hexdigest())
"""
    run = ways.compare([PYTHON, "-c", program], lambda terminal: terminal.say("ready", data))
    assert run["terminal"].endswith(b"0 " + hashlib.sha256(data).hexdigest().encode() + b"\r\n")


def test_a_paste_that_the_program_echoes(ways):
    """Both directions are full at a time."""
    data = os.urandom(200_000).replace(b"<", b">")
    program = f"""
import os, sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
os.write(1, b"ready")
left = {len(data)}
while left > 0:
    block = os.read(0, 65536)
    left -= len(block)
    os.write(1, block)
termios.tcsetattr(0, termios.TCSADRAIN, before)
"""
    run = ways.compare([PYTHON, "-c", program], lambda terminal: terminal.say("ready", data))
    assert run["terminal"] == b"ready" + data


def test_much_output(ways):
    run = ways.compare(["seq", "200000"])
    assert run["terminal"] == b"".join(b"%d\r\n" % number for number in range(1, 200001))


# -------------------------------------------------------------------------------------------------------- other streams


def test_output_to_a_pipe_and_talk_to_the_terminal(ways):
    run = ways.compare(["sh", "-c", "test -t 1 || echo pipe; test -t 2 && echo terminal >&2"], stdout=PIPE)
    assert run["stdout"] == b"pipe\n" and run["terminal"] == b"terminal\r\n"


def test_talk_to_a_file(ways, tmp_path):
    def redirect(way):
        return {"stderr": os.open(tmp_path / way, os.O_WRONLY | os.O_CREAT, 0o600)}
    run = ways.compare(["sh", "-c", "test -t 2 || echo file >&2; test -t 1 && echo terminal"], before=redirect)
    assert run["terminal"] == b"terminal\r\n"
    assert (tmp_path / "sealed").read_bytes() == (tmp_path / "plain").read_bytes() == b"file\n"


def test_input_from_a_file(ways, texts):
    run = ways.compare(["sh", "-c", "test -t 0 || wc -l"], before=lambda way: {"stdin": os.open(texts, os.O_RDONLY)})
    assert run["terminal"] == b"300\r\n"


def test_input_from_a_pipe(ways):
    def dialogue(terminal):
        os.write(terminal.input, b"through the pipe\n")
        terminal.expect("through the pipe\r\n")
        os.close(terminal.input)
        terminal.input = None
    assert ways.compare(["cat"], dialogue, stdin=PIPE)["status"] == ("exited", 0)


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]], ids=str)
def test_closed_streams(ways, closed):
    program = "read x; echo out; echo err >&2; exit 5"
    run = ways.compare(["sh", "-c", program], lambda terminal: terminal.send("\r"), closed=closed,
                       leave_out=["terminal"])
    assert run["status"] == ("exited", 5)


# ----------------------------------------------------------------------------------------------------- the size changes


# Waits in the kernel for the signal, so that none can come between the look and the wait.
SIZES = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
print(*os.get_terminal_size(0)[::-1], "ready", flush=True)
for _ in range(2):
    signal.sigwait([signal.SIGWINCH])
    print(*os.get_terminal_size(0)[::-1], flush=True)
"""


@pytest.mark.parametrize("stdout", [None, PIPE], ids=["terminal", "pipe"])
def test_the_program_is_told_of_a_new_size(ways, stdout):
    def dialogue(terminal):
        stream = "stdout" if stdout else "terminal"
        terminal.expect("24 80 ready\r?\n", stream)
        terminal.resize(33, 111)
        terminal.expect("33 111\r?\n", stream)
        terminal.resize(5, 20)
        terminal.expect("5 20\r?\n", stream)
    assert ways.compare([PYTHON, "-c", SIZES], dialogue, stdout=stdout)["status"] == ("exited", 0)


# -------------------------------------------------------------------------------------------------------- whole screens


@pytest.fixture
def screens(ways):
    made = []

    def start(*program, **more):
        made.append(Screens(ways, program, **more))
        return made[-1]
    yield start
    try:
        for each in made:
            each.check()
    finally:
        for each in made:
            each.kill()


def test_less(ways, screens, texts):
    both = screens("less", str(texts))
    both.agree("line 23 of")
    both.keys("Space")
    both.agree("line 46 of")
    both.keys("/", "line 2.1 of", "Enter")
    both.agree("line 201 of")
    both.resize(100, 40)
    both.agree("line 239 of")
    both.keys("G")
    both.agree("line 300 of", "(END)")
    both.keys("q")
    both.agree("status 0")


@pytest.mark.parametrize("script", [
    'cat lines.txt | "$@" less', '"$@" cat lines.txt | less', '"$@" cat lines.txt | "$@" less',
    'cat lines.txt | "$@" cat | less', '"$@" sh -c "cat lines.txt | less"'])
def test_less_at_the_end_of_a_pipe(screens, texts, script):
    both = screens(script=script)
    both.agree("line 23 of")
    both.keys("Space")
    both.agree("line 46 of")
    both.keys("G")
    both.agree("line 300 of", "(END)")
    both.keys("q")
    both.agree("status 0")


def test_less_leaves_a_writer_that_has_not_ended(screens):
    both = screens(script='"$@" seq 10000000 | less')
    both.agree("23\n")
    both.keys("q")
    both.agree("status 0")


def test_vim(ways, screens):
    for way in ("plain", "sealed"):
        (ways.vault.work / f"{way}.txt").write_text("first\nsecond\n")
    both = screens(script='"$@" vim -u NONE -N -i NONE "$WAY".txt')
    both.agree("second")
    both.keys("o", "inserted \u00fc line", "Escape")
    both.agree("inserted \u00fc line")
    both.resize(60, 15)
    both.agree("inserted \u00fc line")
    both.keys(":set ruler", "Enter", "G")
    both.agree("3,")
    both.keys(":wq", "Enter")
    both.agree("status 0")
    for way in ("plain", "sealed"):
        assert (ways.vault.work / f"{way}.txt").read_text() == "first\ninserted \u00fc line\nsecond\n"


def test_vim_stops_and_goes_on(ways, screens, texts):
    """In a shell with job control, which sees the terminal as it was while the editor is stopped."""
    both = screens(script='set -m; "$@" vim -n -u NONE -N -i NONE lines.txt; stty -a > $WAY.modes; '
                          'printf "stopped\\n"; read -r x; fg > $WAY.job')
    both.agree("line 23 of")
    both.keys("i", "kept text", "Escape")
    both.agree("kept text")
    both.keys("C-z")
    both.agree("stopped")
    both.keys("Enter")
    both.agree("kept text")
    both.keys(":q!", "Enter")
    both.agree("status 0")
    assert (ways.vault.work / "plain.modes").read_text() == (ways.vault.work / "sealed.modes").read_text()


def test_top(ways):
    def dialogue(terminal):
        terminal.say("load average.*PID", "q")
    run = ways.compare(["top"], dialogue, leave_out=["terminal"])
    assert run["status"] == ("exited", 0)


@pytest.mark.parametrize("settings", ["-ixon", "intr ^A", "erase ^H werase ^G", "-echoctl", "tostop", "cols 70"])
def test_settings_that_stay(ways, settings):
    """What stty sets for the commands after it is set, as it is meant."""
    run = ways.compare(["stty", *settings.split()])
    assert (run["modes"], run["size"]) != (run["modes_before"], (COLUMNS, ROWS))


def test_a_program_that_leaves_the_terminal_raw(ways):
    """Plain, it stays raw. Below envseal it is as before, and commands can be typed."""
    with ways.start("sealed", "sh", "-c", "stty raw -echo; exit 3") as terminal:
        assert terminal.finish() == ("exited", 3)
        assert terminal.modes() == terminal.modes_before

"""Programs on a real terminal, plain and below envseal: the same dialogue with both, and everything that can be seen of
it compared."""

import collections
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

from envseal_support import PYTHON, ROOT
from terminal_leader import END

LEADER = str(ROOT / "tests/terminal_leader.py")
SECONDS = int(os.environ.get("TERMINAL_SECONDS", "60"))  # for everything that is waited for
ROWS, COLUMNS = 24, 80
PIPE = object()

MODE_NAMES = ("iflag", "oflag", "cflag", "lflag", "ispeed", "ospeed", "cc")


def modes_of(descriptor):
    return dict(zip(MODE_NAMES, termios.tcgetattr(descriptor)))


def set_size(descriptor, rows, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def children_of(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Terminal:
    """One program, the foreground job of a session of its own. Its standard streams are the terminal, or what is given:
    a descriptor, a file, or PIPE. With `has_terminal` false the session has none."""

    def __init__(self, words, env, cwd, stdin=None, stdout=None, stderr=None, closed=(), ignored=(), has_terminal=True,
                 size=(ROWS, COLUMNS)):
        self.seen, self.at, self.sources, self.closers = {}, collections.Counter(), {}, []
        self.input = None
        self.master = self.slave = -1
        self.modes_before = None
        if has_terminal:
            self.open_terminal(size)
        streams = [self.stream(*pair) for pair in zip(("stdin", "stdout", "stderr"), (stdin, stdout, stderr))]
        self.control, theirs = socket.socketpair()
        self.reports = b""
        lists = (",".join(str(int(number)) for number in numbers) for numbers in (closed, ignored))
        options = [str(theirs.fileno()), str(self.slave), *lists]
        # Isolated and without site: it starts in a few milliseconds, and nothing in the environment reaches it.
        self.leader = subprocess.Popen([PYTHON, "-I", "-S", LEADER, *options, *map(os.fspath, words)], env=env, cwd=cwd,
            stdin=streams[0], stdout=streams[1], stderr=streams[2], start_new_session=True,
            pass_fds=[theirs.fileno(), *([self.slave] if has_terminal else [])])
        theirs.close()
        for descriptor in self.closers:
            os.close(descriptor)
        self.closers = []
        self.pid = int(self.report("started")[1])

    def open_terminal(self, size):
        self.master, self.slave = pty.openpty()
        set_size(self.master, *size)
        os.set_blocking(self.master, False)
        self.sources["terminal"], self.seen["terminal"] = self.master, bytearray()
        self.modes_before = modes_of(self.master)

    def stream(self, name, given):
        if given is None:
            return self.slave if self.slave >= 0 else subprocess.DEVNULL
        if given is not PIPE:
            return given
        theirs, ours = os.pipe() if name == "stdin" else reversed(os.pipe())
        self.closers.append(theirs)
        if name == "stdin":
            self.input = ours
        else:
            self.sources[name], self.seen[name] = ours, bytearray()
        return theirs

    # ------------------------------------------------------------------------------------------------ what the job says

    def report(self, *kinds):
        """Waits until the leader says that the job has started, stopped or ended; meanwhile output is read."""
        end = time.monotonic() + SECONDS
        while b"\n" not in self.reports:
            assert time.monotonic() < end, f"no {kinds} came; seen: {self.seen}"
            self.pump(self.control.fileno())
        line, _, self.reports = self.reports.partition(b"\n")
        words = line.decode().split()
        assert words[0] in kinds, f"{words} instead of {kinds}; seen: {self.seen}"
        return words

    def pump(self, *more, seconds=0.5):
        """Reads what there is; waits for something for a while."""
        descriptors = {descriptor: name for name, descriptor in self.sources.items()}
        ready, _, _ = select.select([*descriptors, *more], [], [], seconds)
        for descriptor in ready:
            if descriptor == self.control.fileno():
                block = self.control.recv(4096)
                assert block, f"the leader has gone; seen: {self.seen}"
                self.reports += block
            elif descriptor in descriptors:
                self.take(descriptors[descriptor])
        return bool(ready)

    def take(self, name):
        try:
            block = os.read(self.sources[name], 65536)
        except OSError:  # EIO: the terminal is gone
            block = b""
        self.seen[name] += block
        if not block:
            os.close(self.sources.pop(name))
            if name == "terminal":
                self.master = -1

    def expect(self, pattern, stream="terminal"):
        """Waits for a match behind the last one."""
        pattern = re.compile(pattern if isinstance(pattern, bytes) else pattern.encode(), re.DOTALL)
        end = time.monotonic() + SECONDS
        while not (match := pattern.search(self.seen[stream], self.at[stream])):
            assert time.monotonic() < end, f"no {pattern.pattern} after {self.at[stream]} in {self.seen}"
            assert stream in self.sources, f"no {pattern.pattern} up to the end of {self.seen}"
            self.pump()
        self.at[stream] = match.end()
        return match

    def send(self, data):
        """Types. What does not go in at once goes in while output is read."""
        data = data if isinstance(data, bytes) else data.encode()
        end = time.monotonic() + SECONDS
        while data:
            assert time.monotonic() < end, "the terminal takes no input"
            _, ready, _ = select.select([], [self.master], [], 0)
            if ready:
                data = data[os.write(self.master, data[:4096]):]
            self.pump(seconds=0 if ready else 0.01)

    def say(self, prompt, data):
        """Types when the prompt stands there."""
        self.expect(prompt)
        self.send(data)

    # -------------------------------------------------------------------------------------------------- what one can do

    def resize(self, rows, columns):
        set_size(self.master, rows, columns)

    def kill(self, number):
        """To the process that was started, and no other."""
        os.kill(self.pid, number)

    def kill_group(self, number):
        os.killpg(self.pid, number)

    def hang_up(self):
        """The window is closed."""
        os.close(self.sources.pop("terminal"))
        os.close(self.slave)
        self.master = self.slave = -1

    def stopped(self):
        self.drain_to_mark()
        return int(self.report("stopped")[1])

    def go_on(self, command="fg"):
        self.control.sendall(command.encode() + b"\n")

    def drain_to_mark(self):
        if "terminal" in self.sources:
            self.expect(re.escape(END))

    def finish(self):
        """Waits for the end, whoever ends it. -> ("exited", status) or ("killed", signal)"""
        self.drain_to_mark()
        kind, number = self.report("exited", "killed")
        while set(self.sources) - {"terminal"}:
            assert self.pump(seconds=SECONDS), "a stream does not end"
        return kind, int(number)

    def foreground(self):
        """The group that the terminal belongs to."""
        return os.tcgetpgrp(self.master)

    def modes(self):
        return modes_of(self.master)

    def output(self, stream="terminal"):
        return bytes(self.seen[stream]).replace(END, b"")

    def close(self):
        """-> the processes that were left behind; they are gone then."""
        if self.leader.poll() is None:
            self.control.shutdown(socket.SHUT_WR)
        try:
            while not self.reports.startswith(b"left"):
                _, _, self.reports = self.reports.partition(b"\n")
                while b"\n" not in self.reports:
                    self.pump(self.control.fileno())
            return self.reports.split()[1:]
        finally:
            self.dispose()

    def kill_all(self):
        """For the way out of a test that has failed."""
        if self.leader.poll() is None:
            self.leader.kill()
        for pid in tree_of(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.dispose()

    def dispose(self):
        for descriptor in [*self.sources.values(), self.slave, self.input]:
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self.sources, self.slave, self.input = {}, -1, None
        self.control.close()
        self.leader.wait(SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return self.kill_all()
        left = self.close()
        assert not left, f"processes were left behind: {left}"


def tree_of(pid):
    return [pid, *(below for child in children_of(pid) for below in tree_of(child))]


# ------------------------------------------------------------------------------------------------- plain, and compared


class Ways:
    """The two ways to start a program: as it is, and below envseal."""

    def __init__(self, vault, term="xterm-256color", options=("-s", "API_TOKEN")):
        self.vault, self.options = vault, options
        self.env = vault.env | {"TERM": term, "LANG": "C.UTF-8"}
        self.env.pop("TMPDIR", None)

    def words(self, way, program):
        return list(program) if way == "plain" else self.vault.words(["run", *self.options, "--", *program])

    def start(self, way, *program, env=None, cwd=None, **more):
        return Terminal(self.words(way, program), self.env | (env or {}), cwd or self.vault.work, **more)

    def play(self, way, program, dialogue, **more):
        """-> everything that can be seen from outside of one run."""
        with self.start(way, *program, **more) as terminal:
            answer = dialogue(terminal) if dialogue else None
            status = terminal.finish()
            modes = terminal.modes() if terminal.master >= 0 else None
            size = os.get_terminal_size(terminal.master) if terminal.master >= 0 else None
            seen = {name: normal(terminal.output(name)) for name in terminal.seen}
        return {"status": status, "answer": answer, "modes": modes, "size": size,
                "modes_before": terminal.modes_before, **seen}

    def compare(self, program, dialogue=None, before=None, leave_out=(), **more):
        """Runs both ways, asserts that nothing differs but what is left out, and returns what was seen of envseal's.
        `before` makes further arguments of Terminal for each; descriptors among them are closed after the run."""
        runs = {}
        for way in ("plain", "sealed"):
            made = before(way) if before else {}
            runs[way] = self.play(way, program, dialogue, **(more | made))
            for value in made.values():
                if isinstance(value, int):
                    os.close(value)
        plain, sealed = runs["plain"], runs["sealed"]
        differ = [name for name in plain if name not in leave_out and sealed[name] != plain[name]]
        assert not differ, "\n".join(difference(name, plain[name], sealed[name]) for name in differ)
        return sealed


def difference(name, plain, sealed):
    """Where two values part, with what is around it."""
    if isinstance(plain, bytes) and isinstance(sealed, bytes):
        at = len(os.path.commonprefix([plain, sealed]))
        around = slice(max(at - 200, 0), at + 200)
        return f"{name} differs at byte {at}:\n  plain  {plain[around]!r}\n  sealed {sealed[around]!r}"
    if isinstance(plain, dict) and isinstance(sealed, dict):
        parts = [key for key in plain if plain[key] != sealed[key]]
        return "\n".join(difference(f"{name}.{key}", plain[key], sealed[key]) for key in parts)
    return f"{name} differs: plain {plain!r}, sealed {sealed!r}"


def normal(seen):
    """Without what differs from run to run: the terminal's number, and those of processes."""
    seen = re.sub(rb"/dev/pts/\d+", b"/dev/pts/N", seen)
    return re.sub(rb"(\[\d+\]) \d+", rb"\1 PID", seen)


# --------------------------------------------------------------------------------------------------- rendered by tmux


SCREEN_SCRIPT = """
stty -a > "$WAY.before"
%s
status=$?
stty -a > "$WAY.after"
echo "status $status"
exec sleep 1000
"""


class Screens:
    """A full-screen program plain and below envseal, each in a window of tmux. Both get the same keys. A step is over
    when both show the same screen, cursor included, with the text that is waited for: no moment has to be guessed. In
    the script `"$@"` is the program, or where there is none what comes before it; $WAY is "plain" or "sealed"."""

    def __init__(self, ways, program=(), script='"$@"', size=(80, 24)):
        # Not in the test's own folder, whose name is too long for a socket.
        self.ways, self.folder = ways, tempfile.mkdtemp(prefix="tmux-")
        self.socket = os.path.join(self.folder, "socket")
        for way in ("plain", "sealed"):
            words = ways.words(way, program)
            env = [word for name, value in (ways.env | {"WAY": way}).items() for word in ("-e", f"{name}={value}")]
            self.tmux("-f", "/dev/null", "new-session", "-d", "-s", way, "-x", str(size[0]), "-y", str(size[1]), *env,
                      "--", "bash", "-c", SCREEN_SCRIPT % script, "bash", *words)
            self.tmux("set-option", "-t", way, "status", "off")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words], env=self.ways.env, cwd=self.ways.vault.work,
                              capture_output=True, timeout=SECONDS)
        assert done.returncode == 0, done
        return done.stdout.decode()

    def keys(self, *names):
        for way in ("plain", "sealed"):
            self.tmux("send-keys", "-t", way, *names)

    def resize(self, columns, rows):
        for way in ("plain", "sealed"):
            self.tmux("resize-window", "-t", way, "-x", str(columns), "-y", str(rows))

    def shown(self, way):
        cursor = "#{cursor_x} #{cursor_y} #{alternate_on} #{cursor_flag} #{keypad_flag} #{mouse_any_flag}"
        return self.tmux("capture-pane", "-p", "-e", "-t", way, ";", "display-message", "-p", "-t", way, cursor)

    def agree(self, *texts):
        end = time.monotonic() + SECONDS
        while True:
            plain, sealed = self.shown("plain"), self.shown("sealed")
            if plain == sealed.replace("sealed.txt", "plain.txt") and all(text in plain for text in texts):
                return plain
            assert time.monotonic() < end, f"no {texts}, or not the same, in\n{plain}\n--- sealed ---\n{sealed}"

    def check(self):
        """That the terminal is as before; to be called at the end."""
        for way in ("plain", "sealed"):
            folder = self.ways.vault.work
            before, after = ((folder / f"{way}.{when}").read_text().split(";", 3)[3] for when in ("before", "after"))
            assert after == before  # but for the size

    def kill(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=SECONDS)
        shutil.rmtree(self.folder)

"""How much later a line's answer comes when `envseal run` stands between a terminal and a program."""

import fcntl
import gc
import os
import pty
import select
import signal
import statistics
import struct
import termios
import time

ROUNDS = 5
LINES = 600  # in each round
P50_MOST_US = 100
P99_MOST_US = 1000
END_SECONDS = 5


class Line:
    """A program on a pseudo-terminal, at whose other end somebody types."""

    def __init__(self, command, environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(command[0], command, environment)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.wait_for(b"READY")

    def wait_for(self, words):
        seen = b""
        while words not in seen:
            seen += os.read(self.fd, 65536)

    def answer_us(self, number):
        # Not with a number at the end, which may begin a form of the secret and is then held until more comes.
        text = f"line {number:06} of what somebody types, and some more to make it long, all done;\n".encode()
        began = time.perf_counter_ns()
        os.write(self.fd, text)
        self.wait_for(b"ALL DONE;")
        return (time.perf_counter_ns() - began) / 1e3

    def end(self):
        os.close(self.fd)
        process = os.pidfd_open(self.pid)
        if not select.select([process], [], [], END_SECONDS)[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.close(process)
        os.waitpid(self.pid, 0)


def percentiles(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def measure(lines):
    """For each round, (p50, p99) by name; the names take turns line by line."""
    rounds = []
    for number in range(ROUNDS):
        times = {name: [] for name in lines}
        for at in range(LINES):
            for name, line in lines.items():
                times[name].append(line.answer_us(number * LINES + at))
        rounds.append({name: percentiles(values) for name, values in times.items()})
    return rounds


def terminal(setting):
    report = setting.report
    report.group("terminal", f"{ROUNDS} rounds of {LINES} lines of 80 bytes, typed and answered, microseconds")
    echo = setting.program("echo")
    commands = {"none": [echo], "relay": [setting.program("relay"), echo], "run": setting.sealed(echo)}
    lines = {name: Line(command, setting.environment) for name, command in commands.items()}
    gc.disable()
    try:
        rounds = measure(lines)
    finally:
        gc.enable()
        for line in lines.values():
            line.end()
    for at, name, most in ((0, "p50", P50_MOST_US), (1, "p99", P99_MOST_US)):
        for who, what in (("none", "the program itself"), ("relay", "behind a plain relay"),
                          ("run", "behind envseal run")):
            report.row(f"terminal_{who}_{name}_us", f"{what}, {name}", statistics.median(r[who][at] for r in rounds))
        report.row(f"terminal_added_{name}_us", f"added by envseal run over a plain relay, {name}",
                   statistics.median(r["run"][at] - r["relay"][at] for r in rounds), at_most=most)

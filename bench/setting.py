"""What the groups of figures share: where the programs are, a folder to work in, and a vault with one secret."""

import fcntl
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031
NO_SHADOW = "this build has no shadow matching"
PROGRAMS = ("audit", "broker", "build", "echo", "engine", "filter", "identity", "policy", "relay", "run", "sandbox", "source",
            "vault")


class Setting:
    def __init__(self, build, report):
        self.build = pathlib.Path(build).resolve()
        self.report = report
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="envseal-bench-"))
        subprocess.run(["ninja", "-C", self.build, "--quiet", "envseal"] + [f"bench/bench_{name}" for name in PROGRAMS],
                       check=True)

    def done(self):
        shutil.rmtree(self.work, ignore_errors=True)

    def program(self, name):
        return str(self.build / "bench" / f"bench_{name}")

    @property
    def envseal(self):
        return str(self.build / "envseal")

    @functools.cached_property
    def environment(self):
        """An environment in which `envseal run -s TOKEN` works, with self.passphrase."""
        environment = os.environ | {"ENVSEAL_HOME": str(self.work / "vault")}
        passphrase = self.work / "passphrase"
        passphrase.write_text("correct horse battery staple\n")
        passphrase.chmod(0o600)
        for command, value in (("init --pwhash interactive", b""), ("set TOKEN --stdin", b"a-value-of-20-bytes!")):
            subprocess.run([self.envseal, *command.split(), "--passphrase-file", str(passphrase)], env=environment,
                           check=True, input=value, stderr=subprocess.DEVNULL)
        return environment

    def sealed(self, *command):
        """`envseal run` of a command, with one secret."""
        self.environment  # the passphrase is there from then on
        return [self.envseal, "run", "-s", "TOKEN", "--passphrase-file", str(self.work / "passphrase"), "--", *command]

    @functools.cached_property
    def has_shadow_switch(self):
        plain = subprocess.run([self.program("filter"), "-p", "0"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               check=False)
        return plain.returncode == 0


def pipe():
    """Both ends of a pipe of 1 MiB."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, F_SETPIPE_SZ, PIPE_BYTES)
    return read_end, write_end


class Drain:
    """Reads a pipe and counts; one buffer for all reads, so that it costs as little as a reader can."""

    def __init__(self, fd):
        self.fd = fd
        self.room = [bytearray(PIPE_BYTES)]

    def take(self, size):
        while size > 0:
            got = os.readv(self.fd, self.room)
            if got == 0:
                raise SystemExit("bench: a program ended early")
            size -= got


def cpu_seconds(pid):
    """Processor time of one process, its children not counted: /proc/PID/schedstat, or where there is none, stat."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9
    except FileNotFoundError:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_idle(pid):
    """Until a process has used no processor time for a while: what it does then is what comes after."""
    before = -1.0
    while (now := cpu_seconds(pid)) != before:
        before = now
        time.sleep(0.02)


def start_gated(command, environment, first_bytes=1):
    """Starts a command that runs `bench_source -g` inside; returns it, and its drain, when the gate is reached."""
    read_end, write_end = pipe()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=write_end,
                               stderr=subprocess.DEVNULL)
    os.close(write_end)
    drain = Drain(read_end)
    drain.take(first_bytes)
    return process, drain


def end_gated(process, drain):
    process.stdin.close()
    if process.wait() != 0:
        raise SystemExit(f"bench: {process.args} ended with {process.returncode}")
    os.close(drain.fd)

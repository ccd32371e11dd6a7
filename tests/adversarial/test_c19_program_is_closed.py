"""C19: a program that envseal runs behind the shield is closed to the same user as envseal is: its files under /proc, its
memory, its descriptors, its core. What runs without the shield is open, which shows that these attacks can succeed."""

import ctypes
import errno
import os
import pathlib
import secrets
import shutil
import signal
import subprocess

import pytest

from envseal_support import SECRETS, finish, process_state, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
PIDFD_GETFD, KCMP = 438, 312
VALUE = SECRETS["API_TOKEN"]

OWN_C = r"""
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) { (void)argc; puts(argv[0]); fflush(stdout); char c; return (int)read(0, &c, 1); }
"""


def compiler():
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder, *options):
    source = folder / "own.c"
    source.write_text(OWN_C)
    subprocess.run([compiler(), *options, str(source), "-o", str(folder / "own")], check=True, timeout=120)
    return str(folder / "own")


def script(folder):
    path = folder / "script"
    path.write_text("#!/bin/sh\nread line\nexit 7\n")
    path.chmod(0o755)
    return str(path)


# Each waits for its standard input, and has a word among its arguments by which it is found.
PROGRAMS = {
    "bash": lambda folder, word: ["bash", "-c", "read line", word],
    "cat": lambda folder, word: ["cat", "-", f"/nowhere/{word}"],
    "own": lambda folder, word: [build(folder), word],
    "own-static": lambda folder, word: [build(folder, "-static"), word],
    "script": lambda folder, word: [script(folder), word],
    "python3": lambda folder, word: ["/usr/bin/python3", "-c", "input()", word],
}
COMMANDS = {"own-static": "own"}


def processes_with(word):
    """Those whose command line has the word, by /proc, which anybody may read; not envseal's own."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.encode() in each for each in words) and b"--" not in words:
            found.append(int(entry.name))
    return found


class Running:
    def __init__(self, vault, name, how="run", options=(), terminal=False):
        self.word = f"word-{secrets.token_hex(8)}"
        self.vault, self.how = vault, how
        words = [how, "-s", "API_TOKEN", *options, "--", *PROGRAMS[name](vault.work, self.word)]
        self.read, self.gate = os.pipe()
        if terminal:
            self.child = vault.spawn(*words, passphrase=True)
        else:
            self.process = vault.popen(*words, stdin=self.read, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.terminal = terminal
        wait_until(lambda: len(processes_with(self.word)) == 1 and process_state(processes_with(self.word)[0]) == "S")
        self.pid, = processes_with(self.word)

    def done(self):
        os.close(self.gate)
        os.close(self.read)
        if self.terminal:
            self.child.sendeof()
            finish(self.child)
        else:
            self.process.communicate(timeout=60)


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def running(request, shared):
    if request.param.startswith("own") and not compiler():
        pytest.skip("there is no compiler")
    running = Running(shared, request.param)
    yield running
    running.done()


@pytest.fixture(scope="module")
def opened(shared):
    """The control: a program of the user's own that is run by its path, without the shield."""
    if not compiler():
        pytest.skip("there is no compiler")
    running = Running(shared, "own", options=["--by-path"])
    yield running
    running.done()


def refused(result):
    return result == -1 and ctypes.get_errno() in (errno.EPERM, errno.EACCES)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def read_file(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read(4096)


def read_memory(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        first = int(maps.readline().split("-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(first)
        return memory.read(64)


def system_call(result):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def attach(pid):
    system_call(LIBC.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0x40000000)  # __WALL
    return LIBC.ptrace(PTRACE_DETACH, pid, None, None) == 0


def seize(pid):
    system_call(LIBC.ptrace(PTRACE_SEIZE, pid, None, None))
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, 0x40000000)
    assert LIBC.ptrace(PTRACE_DETACH, pid, None, None) == 0
    os.kill(pid, signal.SIGCONT)
    return True


def read_across(pid):
    buffer = ctypes.create_string_buffer(64)
    here = Iovec(ctypes.cast(buffer, ctypes.c_void_p), 64)
    # 0x1000 is mapped nowhere: whoever may read is told EFAULT.
    there = Iovec(0x1000, 64)
    call = LIBC.process_vm_readv
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    result = call(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return ctypes.get_errno() == errno.EFAULT or system_call(result)


def steal_descriptor(pid):
    descriptor = os.pidfd_open(pid)
    try:
        stolen = LIBC.syscall(PIDFD_GETFD, descriptor, 0, 0)
        system_call(stolen)
        os.close(stolen)
        return True
    finally:
        os.close(descriptor)


ATTACKS = {name: (lambda pid, name=name: read_file(pid, name)) for name in ("environ", "auxv", "io", "stack", "personality", "maps",
                                                                            "smaps", "pagemap", "syscall")}
ATTACKS |= {name: (lambda pid, name=name: os.readlink(f"/proc/{pid}/{name}")) for name in ("exe", "cwd", "root", "ns/mnt")}
ATTACKS |= {name: (lambda pid, name=name: os.listdir(f"/proc/{pid}/{name}")) for name in ("fd", "fdinfo", "map_files")}
ATTACKS |= {"fd/0": lambda pid: os.close(os.open(f"/proc/{pid}/fd/0", os.O_RDONLY)) is None,
            "mem": read_memory, "attach": attach, "seize": seize, "process_vm_readv": read_across, "pidfd_getfd": steal_descriptor,
            "kcmp": lambda pid: LIBC.syscall(KCMP, pid, os.getpid(), 0, 0, 0) >= 0 or system_call(-1)}
# Root's alone, for every process.
ROOTS = {"stack"}


@pytest.mark.parametrize("name", ATTACKS)
def test_closed(running, name):
    if not os.path.exists(f"/proc/{running.pid}/{name}") and "/" not in name and name in ("stack", "syscall", "map_files"):
        pytest.skip(f"this kernel has no {name}")
    with pytest.raises(PermissionError):
        ATTACKS[name](running.pid)


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - ROOTS))
def test_open_without(opened, name):
    if not os.path.exists(f"/proc/{opened.pid}/{name}") and name in ("syscall", "map_files"):
        pytest.skip(f"this kernel has no {name}")
    assert ATTACKS[name](opened.pid)


def test_the_value_is_there_without(opened):
    assert VALUE in pathlib.Path(f"/proc/{opened.pid}/environ").read_bytes()


@pytest.mark.parametrize("how", ["inject", "terminal", "broker"])
@pytest.mark.parametrize("name", ["bash", "script"])
def test_closed_however_it_is_started(vault, how, name):
    if how == "broker":
        vault.unlock()
        vault.allow(["run", "-s", "API_TOKEN", "--", "true"])
    running = Running(vault, name, how="inject" if how == "inject" else "run", terminal=how == "terminal")
    for attack in ("environ", "mem", "fd", "attach", "pidfd_getfd"):
        with pytest.raises(PermissionError):
            ATTACKS[attack](running.pid)
    running.done()


def test_a_debugger(running):
    gdb = shutil.which("gdb")
    if not gdb:
        pytest.skip("gdb is not installed")
    done = subprocess.run([gdb, "--batch", "-nx", "-p", str(running.pid), "-ex", "generate-core-file /dev/null"],
                          capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert "not permitted" in done.stdout + done.stderr or "ptrace" in done.stdout + done.stderr
    assert "Saved corefile" not in done.stdout


# ----------------------------------------------------------------------------------------------------------- as it looks


def comm(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().rstrip("\n")


def test_its_name_in_ps(running, request):
    name = request.node.callspec.params["running"]
    assert comm(running.pid) == COMMANDS.get(name, name)
    shown = subprocess.run(["ps", "-o", "comm=", "-p", str(running.pid)], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == COMMANDS.get(name, name)


def test_its_command_line(running):
    words = pathlib.Path(f"/proc/{running.pid}/cmdline").read_bytes().split(b"\0")
    assert any(running.word.encode() in word for word in words)
    assert not any(b"memfd" in word for word in words)
    found = subprocess.run(["pgrep", "-f", running.word], capture_output=True, text=True, timeout=60, check=True)
    assert str(running.pid) in found.stdout.split()


def test_argv0(vault):
    assert vault.ok("run", "-s", "API_TOKEN", "--", "/bin/bash", "-c", "echo $0").out == b"/bin/bash\n"
    assert vault.ok("run", "-s", "API_TOKEN", "--", "bash", "-c", "echo $0").out == b"bash\n"


def test_no_descriptor_is_left_in_it(vault):
    """Not of its image either."""
    done = vault.ok("run", "-s", "API_TOKEN", "--", "bash", "-c",
                    "for fd in {3..2000}; do [ -e /proc/self/fd/$fd ] && echo $fd; done; true")
    assert done.out == b""


# ------------------------------------------------------------------------------------------------------------ the record


@pytest.mark.parametrize("words, shield", [
    (["bash", "-c", ":"], "applied"), (["/usr/bin/python3", "-c", ""], "applied"), (["perl", "-e", ""], "self"),
    (["gdb", "--version"], "too-large"), (["node", "--version"], "listed")], ids=lambda value: value if isinstance(value, str) else value[0])
def test_the_record_says_so(vault, words, shield):
    if not shutil.which(words[0], path=vault.env["PATH"]):
        pytest.skip(f"{words[0]} is not installed")
    vault.ok("run", "-s", "API_TOKEN", "--", *words)
    assert vault.records(kind="run.outcome")[-1]["shield"] == shield
    explained = vault.ok("run", "--explain", "--json", "-s", "API_TOKEN", "--", *words, passphrase=False)
    assert explained.json()["shield"] == shield


def test_by_path_is_recorded(vault):
    if not compiler():
        pytest.skip("there is no compiler")
    vault.ok("run", "-s", "API_TOKEN", "--by-path", "--", build(vault.work))
    assert vault.records(kind="run.outcome")[-1]["shield"] == "by-path"


@pytest.mark.parametrize("words", [["bash", "-c", "true"], ["/usr/bin/python3", "-c", "import os"], ["node", "-e", "0"],
                                   ["git", "--version"], ["gcc", "--version"], ["curl", "--version"], ["ssh", "-V"],
                                   ["vim", "--version"], ["psql", "--version"], ["sqlite3", ":memory:", "select 1"],
                                   ["make", "--version"], ["perl", "-e", "exit"], ["java", "-version"], ["gdb", "--version"],
                                   ["bash", "-c", "cat <(echo a) /dev/stdin"], ["awk", "BEGIN {}"], ["tar", "--version"],
                                   ["unshare", "-Ur", "true"]],
                         ids=" ".join)
def test_programs_work(vault, words):
    if not shutil.which(words[0], path=vault.env["PATH"]):
        pytest.skip(f"{words[0]} is not installed")
    vault.ok("run", "-s", "API_TOKEN", "--", *words)

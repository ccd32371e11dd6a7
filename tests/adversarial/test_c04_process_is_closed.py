"""C4: envseal's own process is closed to the same user: its files under /proc, its memory, its descriptors, its core."""

import ctypes
import errno
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import termios

import pytest

from attack_support import forms
from envseal_support import PASSPHRASE, PYTHON, SECRETS, binary, finish

pytestmark = pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_TRACEME, PTRACE_CONT, PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 0, 7, 16, 17, 0x4206
PIDFD_GETFD, KCMP, PROCESS_MADVISE = 438, 312, 440


def wait_until_read(descriptor):
    """Until nothing waits in the pipe any more."""
    count = ctypes.c_int(1)
    while count.value:
        assert LIBC.ioctl(descriptor, termios.FIONREAD, ctypes.byref(count)) == 0


class Held:
    """envseal, waiting for its passphrase on a pipe, on a terminal, or for the program that it runs."""

    def __init__(self, vault, where):
        self.vault, self.where = vault, where
        self.ends = []
        getattr(self, where)()

    def pipe(self):
        read, write = os.pipe()
        self.ends += [read, write]
        return read, write

    def reading(self):
        """The first part of the passphrase is read already, so envseal is at its work and not just starting."""
        read, write = self.pipe()
        self.process = self.vault.popen("run", "-s", "API_TOKEN", "--passphrase-fd", str(read), "--", "true", passphrase=False,
                                        pass_fds=[read], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.write(write, PASSPHRASE[:9].encode())
        wait_until_read(read)
        self.pid = self.process.pid

    def asking(self):
        self.child = self.vault.spawn("run", "-s", "API_TOKEN", "--", "true")
        self.child.expect("Passphrase to approve once: ")
        self.pid = self.child.pid

    def running(self):
        told, gate = self.pipe(), self.pipe()
        named = f"/proc/{os.getpid()}/fd"
        program = f"echo x > {named}/{told[1]}; read line < {named}/{gate[0]}"
        self.process = self.vault.popen("run", "-s", "API_TOKEN", "-s", "DATABASE_URL=F:file", "--", "sh", "-c", program,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert os.read(told[0], 1) == b"x"
        self.pid = self.process.pid

    def done(self):
        if self.where == "asking":
            self.child.close(force=True)
        else:
            self.process.kill()
            self.process.communicate(timeout=60)
        for descriptor in self.ends:
            os.close(descriptor)


@pytest.fixture(scope="module", params=["reading", "asking", "running"])
def held(request, shared):
    held = Held(shared, request.param)
    yield held
    held.done()


@pytest.mark.parametrize("name", ["mem", "environ", "maps", "smaps", "smaps_rollup", "numa_maps", "auxv", "stack", "syscall", "io",
                                  "personality", "pagemap", "wchan", "timers", "coredump_filter", "clear_refs"])
def test_files_under_proc(held, name):
    path = f"/proc/{held.pid}/{name}"
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    if name == "wchan":
        assert open(path, "rb").read() in (b"0", b"")
        return
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY):
        try:
            descriptor = os.open(path, flags)
        except PermissionError:
            continue
        # Some are refused when they are read, and not when they are opened.
        try:
            content = os.read(descriptor, 4096) if flags != os.O_WRONLY else b""
        except PermissionError:
            content = b""
        os.close(descriptor)
        # What a core would hold is nothing, and nobody can change that; that it can be read is no harm.
        assert content == (b"00000000\n" if name == "coredump_filter" else b"") and flags == os.O_RDONLY, path


FOLDERS = ["fd", "fdinfo", "map_files", "task/{}/fd"]
LINKS = ["exe", "cwd", "root", "ns/mnt"]


def assert_folder_closed(pid, name):
    path = f"/proc/{pid}/{name.format(pid)}"
    with pytest.raises(PermissionError):
        os.listdir(path)
    for number in range(16):
        with pytest.raises((PermissionError, FileNotFoundError)):
            os.open(f"{path}/{number}", os.O_RDONLY)


def assert_link_closed(pid, name):
    with pytest.raises(PermissionError):
        os.readlink(f"/proc/{pid}/{name}")


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_under_proc(held, name):
    assert_folder_closed(held.pid, name)


@pytest.mark.parametrize("name", LINKS)
def test_links_under_proc(held, name):
    assert_link_closed(held.pid, name)


def refused(result):
    return result == -1 and ctypes.get_errno() in (errno.EPERM, errno.EACCES)


@pytest.mark.parametrize("request_number", [PTRACE_ATTACH, PTRACE_SEIZE], ids=["attach", "seize"])
def test_ptrace(held, request_number):
    assert refused(LIBC.ptrace(request_number, held.pid, None, None))


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def test_memory_calls(held):
    buffer = ctypes.create_string_buffer(64)
    here = Iovec(ctypes.cast(buffer, ctypes.c_void_p), 64)
    there = Iovec(0x400000, 64)
    for call in (LIBC.process_vm_readv, LIBC.process_vm_writev):
        call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
        assert refused(call(held.pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    descriptor = os.pidfd_open(held.pid)
    for number in range(12):
        assert refused(LIBC.syscall(PIDFD_GETFD, descriptor, number, 0))
    assert refused(LIBC.syscall(PROCESS_MADVISE, descriptor, ctypes.byref(there), 1, 21, 0))
    os.close(descriptor)
    assert refused(LIBC.syscall(KCMP, held.pid, os.getpid(), 0, 0, 0))


def test_limits_cannot_be_raised_from_outside(held):
    """Or a core dump could be switched on again."""
    with pytest.raises(PermissionError):
        resource.prlimit(held.pid, resource.RLIMIT_CORE, (1 << 30, 1 << 30))


def test_a_debugger(held):
    gdb = shutil.which("gdb")
    if not gdb:
        pytest.skip("gdb is not installed")
    done = subprocess.run([gdb, "--batch", "-nx", "-p", str(held.pid), "-ex", "generate-core-file /dev/null"], capture_output=True,
                          text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert "not permitted" in done.stdout + done.stderr or "ptrace" in done.stdout + done.stderr
    assert "Saved corefile" not in done.stdout


# ---------------------------------------------------------------------------------------------------------- core dumps


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT, signal.SIGBUS, signal.SIGSYS],
                         ids=lambda number: number.name)
@pytest.mark.parametrize("where", ["reading", "running"])
def test_no_core_file(vault, where, number):
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        pytest.skip("core dumps cannot be allowed here")
    vault_popen = vault.popen
    vault.popen = lambda *args, **more: vault_popen(*args, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)), **more)
    held = Held(vault, where)
    os.kill(held.pid, number)
    if number == signal.SIGQUIT and where == "running":
        # Passed on to the program, whose end envseal then shares.
        held.process.communicate(timeout=60)
        assert held.process.returncode == -number
    else:
        _, status = os.waitpid(held.pid, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number and not os.WCOREDUMP(status)
        held.process.returncode = -number
    held.done()
    left = [path for path in vault.work.iterdir() if "core" in path.name and path.stat().st_size > 0]
    for path in left:
        # The program may dump itself where it dies of the same signal; it is not envseal.
        assert number == signal.SIGQUIT, path


# ------------------------------------------------------------------------------------------------------ under a tracer


def start_traced(words, env, stdin):
    """Stopped before its first instruction. -> (pid, reading end of its output)"""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(write, 1)
            os.dup2(write, 2)
            os.dup2(stdin, 0)
            LIBC.ptrace(PTRACE_TRACEME, 0, None, None)
            os.execve(words[0], words, env)
        finally:
            os._exit(99)
    os.close(write)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP
    return pid, read


def run_traced(words, env):
    """Runs it to its end under a tracer that lets it run, as strace would. -> (status, output)"""
    with open(os.devnull) as nothing:
        pid, read = start_traced(words, env, nothing.fileno())
    status = signal.SIGTRAP << 8 | 0x7f
    while os.WIFSTOPPED(status):
        number = os.WSTOPSIG(status)
        assert LIBC.ptrace(PTRACE_CONT, pid, None, number if number != signal.SIGTRAP else None) == 0
        _, status = os.waitpid(pid, 0)
    with open(read, "rb") as pipe:
        return os.waitstatus_to_exitcode(status), pipe.read()


@pytest.mark.parametrize("words, status", [(["run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started"], 125),
                                           (["inject", "-s", "API_TOKEN", "--", "sh", "-c", "echo started"], 125),
                                           (["verify", "API_TOKEN"], 4), (["list"], 4), (["set", "X", "--generate", "20"], 4)],
                         ids=lambda value: value[0] if isinstance(value, list) else None)
def test_refused_under_a_tracer(vault, words, status):
    got, output = run_traced(vault.words(words), vault.env)
    assert got == status and b"tracer" in output and b"started" not in output


class Early:
    """Somebody who opened the memory before the first instruction, and then let go. He could as well have started any other
    program; but he finds no secret here."""

    def __init__(self, words, env, stdin=None):
        nothing = os.open(os.devnull, os.O_RDONLY)
        self.pid, self.output = start_traced(words, env, nothing if stdin is None else stdin)
        os.close(nothing)
        self.mem = os.open(f"/proc/{self.pid}/mem", os.O_RDONLY)
        self.maps = open(f"/proc/{self.pid}/maps", "rb")
        assert LIBC.ptrace(PTRACE_DETACH, self.pid, None, None) == 0

    def assert_holds_none(self, *secrets):
        parts = [secret[at:at + 10] for secret in secrets for at in range(len(secret) - 9)]
        needles = [form for part in parts for form in forms(part)[:4]] + [form for secret in secrets for form in forms(secret)]
        seen = 0
        self.maps.seek(0)
        for line in self.maps:
            first, end = (int(word, 16) for word in line.split()[0].split(b"-"))
            try:
                data = os.pread(self.mem, end - first, first) if first < 1 << 62 else b""
            except OSError:
                # memfd_secret, or a guard page.
                continue
            seen += len(data)
            assert not [needle for needle in needles if needle in data], line
        assert seen > 1 << 20

    def end(self):
        self.maps.close()
        with open(self.output, "rb") as pipe:
            output = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.mem)
        return os.waitstatus_to_exitcode(status), output


needs_secret_memory = pytest.mark.skipif(LIBC.syscall(447, 0) < 0, reason="this kernel has no memfd_secret")


@pytest.mark.usefixtures("unsanitized")
@needs_secret_memory
def test_memory_while_a_program_runs(vault):
    told, tell = os.pipe()
    gate, release = os.pipe()
    named = f"/proc/{os.getpid()}/fd"
    program = (f"echo $API_TOKEN; echo x > {named}/{tell}; read line < {named}/{gate}; echo $API_TOKEN | base64; "
               f"echo x > {named}/{tell}; read line < {named}/{gate}")
    early = Early(vault.words(["run", "-s", "API_TOKEN", "-s", "DATABASE_URL=F:file", "--", "sh", "-c", program]), vault.env)
    for _ in range(2):
        assert os.read(told, 1) == b"x"
        early.assert_holds_none(SECRETS["API_TOKEN"], SECRETS["DATABASE_URL"], PASSPHRASE.encode())
        os.write(release, b"\n")
        os.read(told, 1)
    status, output = early.end()
    assert status == 0 and b"REDACTED" in output
    for descriptor in (told, tell, gate, release):
        os.close(descriptor)


def filled_pipe(content):
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return read


@pytest.mark.usefixtures("unsanitized")
@needs_secret_memory
@pytest.mark.parametrize("words", [["set", "NEW", "--stdin"], ["set", "API_TOKEN", "--stdin", "--force"], ["set", "NEW", "--file", "value"],
                                   ["verify", "API_TOKEN"], ["import", "values.env"], ["import", "values.env", "--rewrite"]], ids=" ".join)
def test_memory_while_the_passphrase_is_read(vault, words):
    """By then the value that came by standard input or from a file is there."""
    value = b"Tb4%zKe8Wn1^gXq6Lv3@Ds"
    (vault.work / "value").write_bytes(value)
    (vault.work / "values.env").write_bytes(b"# mine\nPORT=3000\nSOME_TOKEN='" + value + b"'\n")
    read, write = os.pipe()
    os.set_inheritable(read, True)
    stdin = filled_pipe(value)
    words = vault.words([*words, "--passphrase-fd", str(read)], passphrase=False)
    before = os.getcwd()
    os.chdir(vault.work)
    try:
        early = Early(words, vault.env, stdin)
    finally:
        os.chdir(before)
    os.write(write, PASSPHRASE[:20].encode())
    wait_until_read(read)
    early.assert_holds_none(value, PASSPHRASE[:20].encode())
    os.write(write, PASSPHRASE[20:].encode() + b"\n")
    status, output = early.end()
    assert status == (1 if words[1] == "verify" else 0), output
    for descriptor in (read, write, stdin):
        os.close(descriptor)


def test_unreadable_binary_is_closed_from_its_first_instruction(vault, tmp_path):
    """As `make install` leaves it: may be executed and not read, so the kernel never makes it dumpable."""
    closed = tmp_path / "envseal"
    shutil.copy(binary(), closed)
    closed.chmod(0o111)
    words = [str(closed), *vault.words(["run", "-s", "API_TOKEN", "--", "true"])[1:]]
    with open(os.devnull) as nothing:
        pid, output = start_traced(words, vault.env, nothing.fileno())
    for name in ("mem", "maps", "environ", "auxv"):
        with pytest.raises(PermissionError):
            os.read(os.open(f"/proc/{pid}/{name}", os.O_RDONLY), 16)
    LIBC.ptrace(PTRACE_DETACH, pid, None, None)
    os.waitpid(pid, 0)
    os.close(output)
    done = subprocess.run(words, env=vault.env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done


# ------------------------------------------------------------------------------------------------------- the passphrase


def test_the_process_that_scores_the_passphrase(no_vault, tmp_path):
    """It holds the passphrase for a moment: every process seen during `init` is attacked as soon as it is seen."""
    stop = tmp_path / "stop"
    hunter = subprocess.Popen([sys.executable, "-c", HUNTER, str(stop), str(os.getpid())], stdout=subprocess.PIPE, text=True)
    assert hunter.stdout.readline() == "ready\n"
    for _ in range(5):
        no_vault.init()
        shutil.rmtree(no_vault.dir)
    stop.touch()
    out, _ = hunter.communicate(timeout=60)
    seen, found = (int(word) for word in out.split())
    assert found == 0 and seen > 0


HUNTER = """
import os, sys
stop, parent = sys.argv[1], int(sys.argv[2])
needle = b"quiet otter maps lemon stairs"
known = set(os.listdir("/proc"))
seen = found = 0


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


print("ready", flush=True)
while not os.path.exists(stop):
    for name in os.listdir("/proc"):
        if not name.isdigit() or name in known:
            continue
        try:
            # envseal is a child of the test, what it starts a grandchild; other tests have an envseal of their own.
            above = parent_of(name)
            if parent not in (above, parent_of(above)):
                continue
            # Before its exec it is still the test, which knows the passphrase.
            with open(f"/proc/{name}/comm") as comm:
                if "envseal" not in comm.read():
                    continue
        except OSError:
            continue
        seen += 1
        try:
            maps = open(f"/proc/{name}/maps").read()
            mem = os.open(f"/proc/{name}/mem", os.O_RDONLY)
        except OSError:
            continue
        for line in maps.splitlines():
            first, end = (int(word, 16) for word in line.split()[0].split("-"))
            try:
                found += needle in os.pread(mem, end - first, first)
            except (OSError, OverflowError, MemoryError):
                pass
        os.close(mem)
print(seen, found)
"""


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("variable", ["LD_PRELOAD", "LD_AUDIT"])
def test_nothing_is_loaded_into_envseal(vault, tmp_path, variable):
    """Linked statically, there is no loader that could be told to."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no compiler")
    source = tmp_path / "evil.c"
    source.write_text('#include <unistd.h>\n#include <stdlib.h>\n'
                      'unsigned la_version(unsigned v) { write(2, "LOADED", 6); return v; }\n'
                      '__attribute__((constructor)) static void evil(void) { write(2, "LOADED", 6); }\n')
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", tmp_path / "evil.so", source], check=True)
    env = {variable: str(tmp_path / "evil.so")}
    assert "LOADED" in subprocess.run(["/bin/true"], env=env, capture_output=True, text=True, timeout=60).stderr
    for words in (["list"], ["verify", "API_TOKEN"], ["run", "-s", "API_TOKEN", "--", "true"], ["run", "-s", "API_TOKEN", "--", PYTHON, "-c", "0"]):
        result = vault.run(*words, env=env, input=SECRETS["API_TOKEN"], status=0)
        assert "LOADED" not in result.talk + result.text


def test_the_prompt_leaves_the_terminal_as_it_was(vault):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "true")
    child.expect("Passphrase to approve once: ")
    child.sendline(PASSPHRASE)
    text, status = finish(child)
    assert status == 0 and PASSPHRASE not in text

"""What tests of a kernel that lacks something share: a home with something in it, and a program that looks for itself."""

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import socket
import subprocess

from envseal_support import binary, copy_vault
from tier_support import descendants, room_make, write

TIERS = ["standard", "hardened", "lockdown"]

# Prints what is really so. Runs as a program of envseal's, and outside for comparison.
LOOK = r"""
import contextlib, errno, fcntl, json, os, resource, socket, sys
scene = json.loads(sys.argv[1])

def name_of(action):
    try:
        result = action()
    except OSError as error:
        return errno.errorcode[error.errno]
    if isinstance(result, int) and not isinstance(result, bool) and result > 2:
        os.close(result)
    return "ok"

def connect(family, address):
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as end:
        end.settimeout(20)
        return name_of(lambda: end.connect(address))

def read(path):
    with open(path, "rb") as file:
        file.read()

def names(folder):
    return os.listdir(folder) if os.path.isdir(folder) and os.access(folder, os.R_OK) else []

def append(path):
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))

def type_key():
    with open("/dev/null", "rb") as file:
        fcntl.ioctl(file, 0x5412, b"x")  # TIOCSTI: ENOTTY, where nobody forbids it

def status():
    with open("/proc/self/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)

status = status() if os.path.exists("/proc/self/status") else {}
print(json.dumps({
    "namespaces": {kind: os.readlink("/proc/self/ns/" + kind) for kind in ("user", "pid", "ipc", "net", "mnt")} if status else {},
    "status": status,
    "core": resource.getrlimit(resource.RLIMIT_CORE), "processes": resource.getrlimit(resource.RLIMIT_NPROC),
    "hidden": name_of(lambda: read(scene["hidden"])), "hidden-names": names(os.path.dirname(scene["hidden"])),
    "vault": name_of(lambda: read(scene["vault"])), "outside": name_of(lambda: append(scene["outside"])),
    "work": name_of(lambda: append(scene["work"])),
    "read-only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "sees-outside": os.path.exists("/proc/%d" % scene["pid"]),
    "terminal": name_of(lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)),
    "keys": name_of(type_key),
    "signal": name_of(lambda: os.kill(os.getppid(), 0)),
    "abstract": connect(socket.AF_UNIX, "\0" + scene["abstract"]), "tcp": connect(socket.AF_INET, ("127.0.0.1", scene["port"])),
    "descriptors": [fd for fd in range(3, 64) if name_of(lambda: fcntl.fcntl(fd, fcntl.F_GETFD)) == "ok"],
    "leads-session": os.getsid(0) != scene["session"], "secret": os.environ.get("API_TOKEN", "") != "",
}), flush=True)
sys.stdin.read()
"""
LOOKER = ["/usr/bin/python3", "-I", "-S", "-c", LOOK]

# Whether a mechanism is there, by what the program found (here) and what is found outside.
FOUND = {
    "user-namespace": lambda here, outside: here["namespaces"]["user"] != outside["namespaces"]["user"],
    "pid-namespace": lambda here, outside: here["namespaces"]["pid"] != outside["namespaces"]["pid"],
    "ipc-namespace": lambda here, outside: here["namespaces"]["ipc"] != outside["namespaces"]["ipc"],
    "network-namespace": lambda here, outside: here["namespaces"]["net"] != outside["namespaces"]["net"],
    "mounts": lambda here, outside: here["read-only"] and here["hidden-names"] == [],
    "proc": lambda here, outside: not here["sees-outside"],
    "no-core": lambda here, outside: here["core"] in ([1, 1], [0, 0]),
    "process-limit": lambda here, outside: 0 <= here["processes"][1] <= 4096,
    "capabilities": lambda here, outside: int(here["status"]["CapBnd"], 16) == 0,
    "no-new-privs": lambda here, outside: here["status"]["NoNewPrivs"] == "1",
    "landlock": lambda here, outside: here["terminal"] == "EACCES",
    "scope": lambda here, outside: here["signal"] == "EPERM",
    "filter": lambda here, outside: here["keys"] == "EPERM",
    "shield": lambda here, outside: here["memory"] == "EPERM",
}


def deny_words(rules):
    build = pathlib.Path(os.environ.get("ENVSEAL_BUILD", pathlib.Path(binary()).parent))
    path = build / "tests/tools/deny"
    assert path.is_file(), f"{path} is not there: build it with `make`"
    return [str(path), rules, "--"] if rules else []


def read_memory(pid):
    """What another process of the user gets of it: EPERM, or EFAULT, since nothing lies at the address."""
    libc = ctypes.CDLL(None, use_errno=True)
    part = (ctypes.c_void_p * 2)(4096, 8)
    libc.process_vm_readv(pid, part, 1, part, 1, 0)
    return errno.errorcode[ctypes.get_errno()]


def looker_of(pid, scene):
    """Its number; that of a program may be one that nothing but /proc of the outside tells."""
    for child in descendants(pid):
        words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if words[1:2] == [b"-I"] and scene.encode() in words:
            return child
    raise AssertionError("the program is not there")


class Ended:
    """A run that is over: `here` is what the program found, None where it did not run."""

    def __init__(self, status, here, out, talk, records):
        self.status, self.here, self.out, self.talk = status, here, out, talk
        of_kind = {record["kind"]: record["sandbox"] for record in records if "sandbox" in record}
        self.plan = of_kind.get("run.intent", {}).get("mechanisms", {})
        self.applied = set(of_kind.get("run.outcome", {}).get("applied", []))
        self.missing = {row["mechanism"]: row["error"] for row in of_kind.get("run.outcome", {}).get("missing", [])}

    def __repr__(self):
        return f"<status {self.status}, {self.talk!r}, missing {self.missing}, found {self.here or self.out!r}>"


class Scene:
    """A home, what is to be hidden in it, and what listens outside."""

    def __init__(self, tmp_path, original):
        self.stack = contextlib.ExitStack()
        self.vault = copy_vault(original, room_make(tmp_path))
        self.work = self.vault.home / "project"
        self.work.mkdir()
        self.tcp = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        self.abstract = self.listen(socket.AF_UNIX, "")
        self.scene = json.dumps({
            "hidden": write(self.vault.home / ".ssh/id_ed25519", "key\n"), "vault": str(self.vault.database),
            "outside": write(self.vault.home / "other/notes", "notes\n"), "work": write(self.work / "file", "text\n"),
            "pid": os.getpid(), "session": os.getsid(0), "port": self.tcp.getsockname()[1],
            "abstract": self.abstract.getsockname()[1:].decode()})
        self.outside = self.look([*LOOKER, self.scene], env=None)[1]

    def listen(self, family, address):
        end = self.stack.enter_context(contextlib.closing(socket.socket(family, socket.SOCK_STREAM)))
        end.bind(address)
        end.listen(512)
        return end

    def done(self):
        self.stack.close()

    def look(self, words, **more):
        """Status, what the program found, what it said besides, and errors."""
        with open("/dev/null", "rb") as stray:
            process = subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       pass_fds=[stray.fileno()], start_new_session=True, **more)
        line, here = process.stdout.readline(), None
        if line.startswith("{"):
            here = json.loads(line)
            here["memory"] = read_memory(looker_of(process.pid, self.scene))
        out, talk = process.communicate(timeout=120)
        return process.returncode, here, (out if here else line + out), talk

    def run(self, rules, tier, *options, before=(), cwd=None):
        """`before`: words in front of it all."""
        count = self.count()
        words = self.vault.words(["run", "--tier", tier, *options, "-s", "API_TOKEN", "--", *LOOKER, self.scene])
        looked = self.look([*before, *deny_words(rules), *words], env=self.vault.env, cwd=cwd or self.work)
        return Ended(*looked, self.records(count))

    def count(self):
        return len(self.vault.log.read_text().splitlines()) if self.vault.log.exists() else 0

    def records(self, after):
        return [json.loads(line) for line in self.vault.log.read_text().splitlines()[after:]]


def assert_record_is_true(scene, ended):
    """What the record says was applied is what the program finds, no more and no less."""
    here = ended.here
    assert here is not None and ended.applied | set(ended.missing) == set(ended.plan), ended
    assert not ended.applied & set(ended.missing), ended
    for mechanism, is_found in FOUND.items():
        found = is_found(here, scene.outside)
        # A denied call costs the tester the right to new privileges too.
        if mechanism != "no-new-privs" or mechanism in ended.applied:
            # Without a hold nobody can know of the shield, which may be there all the same.
            is_unknown = mechanism == "shield" and ended.missing.get("shield") is not None
            assert found == (mechanism in ended.applied) or (is_unknown and found), (mechanism, found, ended)
    hides = bool(ended.applied & {"landlock", "mounts"})
    assert [here[what] == "ok" for what in ("hidden", "vault", "outside")] == [not hides] * 3, ended
    assert (here["tcp"] == "ok") == ("network-namespace" not in ended.applied), ended
    assert (here["abstract"] == "ok") == (not ended.applied & {"scope", "network-namespace"}), ended
    assert here["work"] == "ok" and here["secret"] and here["leads-session"] and here["descriptors"] == [], ended


def assert_refused(ended, mechanism, *says):
    assert (ended.status, ended.out, ended.here) == (126, "", None), ended
    assert f"the sandbox cannot give {mechanism}" in ended.talk, ended
    for part in says:
        assert part in ended.talk, ended

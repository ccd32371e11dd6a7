"""A home with a project in it, and agents in a jail there. The home is in no place for temporary files where there is such a
room (scripts/test): those are fresh ones in a jail."""

import ctypes
import os
import pathlib
import platform
import struct
import subprocess
import tempfile

from envseal_support import Result, binary, copy_vault

MACHINE = platform.machine()
CALLS = {"x86_64": {"clone": 56, "landlock_create_ruleset": 444, "mount": 165, "mount_setattr": 442, "move_mount": 429, "open_tree": 428,
                    "setns": 308, "pidfd_open": 434, "landlock_restrict_self": 446},
         "aarch64": {"clone": 220, "landlock_create_ruleset": 444, "mount": 40, "mount_setattr": 442, "move_mount": 429, "open_tree": 428,
                     "setns": 268, "pidfd_open": 434, "landlock_restrict_self": 446}}
NEW_USER = 0x10000000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22


def room(tmp_path):
    parent = os.environ.get("ENVSEAL_TEST_ROOM")
    return pathlib.Path(tempfile.mkdtemp(prefix="j", dir=parent)) if parent else tmp_path / "room"


def write(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def refuse(calls):
    """For preexec_fn: a filter under which these system calls fail. `calls`: name -> errno."""
    rows = [(0x20, 0, 0, 0)]
    for name, error in calls.items():
        test = [(0x20, 0, 0, 16), (0x45, 0, 1, NEW_USER)] if name == "clone" else []  # args[0] has a bit
        answer = [(0x06, 0, 0, 0x00050000 | error)]
        rows += [(0x15, 0, len(test) + 1, CALLS[MACHINE][name]), *test, *answer]
        if name == "clone":
            rows.append((0x20, 0, 0, 0))
    rows.append((0x06, 0, 0, 0x7fff0000))
    code = b"".join(struct.pack("HBBI", *row) for row in rows)
    libc = ctypes.CDLL(None, use_errno=True)

    def apply():
        room_for_code = ctypes.create_string_buffer(code, len(code))
        program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rows), ctypes.addressof(room_for_code)))
        assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        assert libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0) == 0, ctypes.get_errno()
    return apply


def has_namespaces():
    return subprocess.run(["unshare", "--user", "--map-current-user", "--mount", "true"], capture_output=True, timeout=60).returncode == 0


class Project:
    def __init__(self, tmp_path, original):
        self.base = room(tmp_path)
        self.vault = copy_vault(original, self.base)
        self.home = self.vault.home
        self.work = self.home / "project"
        self.env = dict(self.vault.env)
        write(self.home / ".ssh/id_ed25519", "private key\n")
        write(self.home / ".bashrc", "# mine\n")
        write(self.home / ".env", "ABOVE=1\n")
        (self.home / ".cache").mkdir()
        write(self.work / "notes", "notes\n")
        write(self.work / ".env", "TOKEN=in-the-env-file\n")
        write(self.work / "app/.env.local", "TOKEN=in-the-other\n")
        write(self.work / ".env.example", "TOKEN=\n")

    def popen(self, words, cwd=None, env=None, calls=None, **more):
        return subprocess.Popen(words, cwd=cwd or self.work, env=self.env | (env or {}), preexec_fn=refuse(calls) if calls else None, **more)

    def run(self, *words, input=b"", **more):
        process = self.popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        out, err = process.communicate(input, timeout=120)
        return Result(words, process.returncode, out, err)

    def jail(self, *words, **more):
        """`words` behind "envseal jail"."""
        return self.run(binary(), "jail", *words, **more)

    def sh(self, script, *options, **more):
        return self.jail(*options, "--", "/bin/sh", "-c", script, **more)

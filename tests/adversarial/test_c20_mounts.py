"""C20: a program in a mount namespace of its own reads the files of the tree that it was given. Whoever owns its user namespace,
which is any process of the same user, can enter that of the mounts by a child of the program, and lay files of his own over
those that the program reads next: its libraries, say. Its tree must not be there."""

import os
import pathlib
import secrets
import shutil
import subprocess
import sys

import pytest

from envseal_support import direct_only, wait_until
from tier_support import build_file, can_unshare

pytestmark = [pytest.mark.skipif(os.geteuid() == 0, reason="root may mount what it likes"),
              pytest.mark.skipif(not can_unshare(), reason="there are no user namespaces here"),
              direct_only("the processes of one start are looked at")]

READ, LAID = "/etc/passwd", "/etc/group"

# Says which of its mounts the kernel took.
ENTER = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None)
pid, laid, read = sys.argv[1:]
root = os.open(f"/proc/{pid}/root", os.O_PATH)
spaces = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in ("user", "mnt")]
assert [libc.setns(space, 0) for space in spaces] == [0, 0]
def lay(path):
    return libc.mount(laid.encode(), path.encode(), None, 4096, None) == 0
done = [lay(read)]
os.fchdir(root)
done.append(lay(read[1:]))
os.chroot(".")
done.append(lay(read))
print(*done)
"""


def first_line(path):
    return pathlib.Path(path).read_text().splitlines()[0]


def child_with(word):
    """The program's own child, which is not shielded."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"grep") and word.encode() in words:
            return int(entry.name)
    return None


TRIES, WANTED = 60, 2


def grab(vault, tier):
    """Status, output, talk, and how often somebody has mounted in the program's namespace while it was made."""
    words = vault.words(["run", "-s", "API_TOKEN", "--tier", tier, "--", "head", "-n", "1", READ])
    count, said = os.pipe()
    try:
        command = f'exec 3>&{said}; exec "$0" "$@"'
        done = subprocess.run(["bash", "-c", command, build_file("../tools/mountgrab"), LAID, READ, *words], env=vault.env,
                              cwd=vault.work, pass_fds=[said], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr, int(os.read(count, 16))
    finally:
        os.close(count)
        os.close(said)


@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
def test_nobody_lays_files_before_the_program_is_there(vault, tier):
    """From Linux 6.18 on a namespace can be opened by its number, before there is any process but process 1 in it."""
    refused = 0
    for _ in range(TRIES):
        status, out, talk, mounted = grab(vault, tier)
        if status == 126:
            assert out == "" and "somebody else changes it while it is made" in talk and mounted, talk
            refused += 1
        else:
            assert (status, out) == (0, first_line(READ) + "\n"), talk
        if refused == WANTED:
            return
    pytest.skip(f"in {TRIES} starts nobody came in time, or no namespace can be opened by its number here")


@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
def test_nobody_lays_files_over_those_of_the_program(vault, tier):
    word = f"word-{secrets.token_hex(8)}"
    script = f'{shutil.which("grep")} {word}; read line < {READ}; echo "$line"'
    process = vault.popen("run", "-s", "API_TOKEN", "--tier", tier, "--", "bash", "-c", script, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: child_with(word))
    entered = subprocess.run([sys.executable, "-I", "-c", ENTER, str(child_with(word)), LAID, READ], capture_output=True,
                             text=True, timeout=60)
    assert entered.stdout.split() == ["True", "False", "False"], entered
    out, _ = process.communicate(timeout=60)
    assert first_line(READ) != first_line(LAID) and out.decode() == first_line(READ) + "\n"

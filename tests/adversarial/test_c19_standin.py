"""C19: the namespaces by which a shielded program is closed to its own user are that user's too, and are mapped by a
process that he may look into, trace and end while they are made. Whatever he does then, either the program is closed or it
is not started."""

import ctypes
import os
import secrets
import subprocess

import pytest

from envseal_support import SECRETS, direct_only
from test_c19_program_is_closed import (ATTACKS, LIBC, PTRACE_ATTACH, PTRACE_DETACH, ROOTS, Iovec, processes_with,
                                        system_call)
from tier_support import build_file, can_unshare

pytestmark = [pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process"),
              pytest.mark.skipif(not can_unshare(), reason="there are no user namespaces here"),
              pytest.mark.skipif(os.uname().machine != "x86_64", reason="a stand-in is moved by its registers"),
              direct_only("the processes of one start are looked at")]

TRIES, WANTED = 60, 3
STARTED, STATUS = "started", 7
MEDDLING = "somebody else changes it while it is made"
# What a refusal says; None: what was done has no effect.
GRABS = {"move": MEDDLING, "swap": MEDDLING, "kill-maker": MEDDLING, "kill-standin": MEDDLING, "premap": MEDDLING,
         "premap-inner": MEDDLING, "mount": None}
PTRACE_PEEKUSER, RSP = 3, 19 * 8
STACK_BYTES = 1 << 18


def stack_of(pid):
    """From its pointer upwards: the environment lies at its end."""
    system_call(LIBC.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0x40000000)  # __WALL
    pointer = ctypes.c_uint64(0)
    LIBC.syscall(101, PTRACE_PEEKUSER, pid, ctypes.c_void_p(RSP), ctypes.byref(pointer))
    buffer = ctypes.create_string_buffer(STACK_BYTES)
    here = Iovec(ctypes.cast(buffer, ctypes.c_void_p), STACK_BYTES)
    # Page by page, since what is read ends where a piece is not there.
    first = pointer.value & ~4095
    there = (Iovec * (STACK_BYTES // 4096))(*(Iovec(first + at, 4096) for at in range(0, STACK_BYTES, 4096)))
    LIBC.process_vm_readv(pid, ctypes.byref(here), 1, there, len(there), 0)
    LIBC.ptrace(PTRACE_DETACH, pid, None, None)
    return buffer.raw


LOOKS = {name: look for name, look in ATTACKS.items() if name not in ROOTS}
LOOKS["value"] = lambda pid: SECRETS["API_TOKEN"] in stack_of(pid)


class Grabbed:
    """A start under attack. `is_made`: the attack was; `seen`: in which ways the program could be looked into."""

    def __init__(self, vault, attack, tier):
        word = f"word-{secrets.token_hex(8)}"
        words = vault.words(["run", "-s", "API_TOKEN", "--tier", tier, "--", "bash", "-c",
                             f"echo {STARTED}; read line; exit {STATUS}", word])
        made, said = os.pipe()
        command = f'exec 3>&{said}; exec timeout -k 5 60 "$0" "$@"'
        process = subprocess.Popen(["bash", "-c", command, build_file("../tools/standgrab"), attack, *words],
                                   env=vault.env, cwd=vault.work, pass_fds=[said], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.close(said)
        self.is_started = process.stdout.readline() == STARTED + "\n"
        self.seen = [name for name in LOOKS if self.is_started and can_look(name, word)]
        _, self.talk = process.communicate(timeout=60)
        self.status = process.returncode
        self.is_made = os.read(made, 16) == b"1\n"
        os.close(made)


def can_look(name, word):
    pid, = processes_with(word)
    try:
        return LOOKS[name](pid)
    except PermissionError:
        return False
    except FileNotFoundError:  # where this kernel has no such file
        return False


@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
@pytest.mark.parametrize("attack", GRABS)
def test_nobody_gets_in_while_it_is_made(vault, attack, tier):
    made = 0
    for _ in range(TRIES):
        grabbed = Grabbed(vault, attack, tier)
        print(attack, tier, grabbed.is_made, grabbed.status, grabbed.seen, grabbed.talk)
        assert grabbed.seen == []
        if grabbed.is_started:
            assert grabbed.status == STATUS, grabbed.talk
        else:
            # What was half done is refused as well, in other words.
            words = GRABS[attack] if grabbed.is_made else "refused"
            assert grabbed.status == 126 and words and words in grabbed.talk, (grabbed.status, grabbed.talk)
        # For that one the last moment may be over, which nobody tells.
        is_effective = grabbed.is_made and grabbed.is_started == (GRABS[attack] is None)
        assert is_effective or not grabbed.is_made or attack == "swap"
        made += is_effective
        if made == WANTED:
            return
    if attack == "swap" and not made:
        pytest.skip(f"in {TRIES} starts nobody met the last moment")
    assert made, f"none of {TRIES} attacks came in time"

"""Many processes at once on one vault."""

import os
import subprocess
import sys

import pytest

from crash_support import kill_after, processes_with, start
from envseal_support import PASSPHRASE, seeded, told_pid, wait_gone

WORKERS = 32
STORES_EACH = 20

# One process that stores, one after another; all of them wait for the end of one pipe, so that they begin together.
WORKER = r"""
import os, subprocess, sys
gate, worker, count, envseal, passphrase_file = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]
os.read(gate, 1)
for number in range(count):
    name = f"w{worker:02d}/n{number:02d}"
    option = ["--locked"] if number % 4 else ["--passphrase-file", passphrase_file]
    done = subprocess.run([envseal, "set", name, "--stdin", *option], input=f"value of {name}, long".encode(),
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{name}: {done.returncode}: {done.stderr!r}")
"""


def test_640_stores_by_32_processes_lose_nothing(empty):
    gate, opener = os.pipe()
    envseal = empty.words(["list"])[0]
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(gate), str(number), str(STORES_EACH), envseal,
                          str(empty.passphrase_file)], env=empty.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         pass_fds=[gate]) for number in range(WORKERS)]
    os.close(gate)
    os.close(opener)
    complaints = [worker.communicate(timeout=600)[1].decode() for worker in workers]
    assert not any(complaints), [text for text in complaints if text]
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    names = [f"w{worker:02d}/n{number:02d}" for worker in range(WORKERS) for number in range(STORES_EACH)]
    entries = {entry["name"]: entry for entry in empty.ok("list", "--json").json()["secrets"]}
    assert sorted(entries) == names
    waiting = {name for name, entry in entries.items() if entry["pending"]}
    assert waiting == {name for name in names if int(name[-2:]) % 4}
    assert empty.check()["ok"]
    empty.ok("doctor", "--passphrase-file", empty.passphrase_file)
    empty.ok("confirm", "--yes")
    assert not any(entry["pending"] for entry in empty.ok("list", "--json").json()["secrets"])
    for name in names[::40]:
        assert empty.value(name) == f"value of {name}, long".encode()
    records = empty.records()
    kinds = [record["kind"] for record in records]
    assert kinds.count("secret.set") == WORKERS * STORES_EACH // 4
    assert kinds.count("secret.deposit") == WORKERS * STORES_EACH * 3 // 4
    assert PASSPHRASE.encode() not in b"".join(empty.files().values())


@pytest.mark.parametrize("command", [["run", "-s", "API_TOKEN"], ["run", "--by-path", "-s", "API_TOKEN"],
                                     ["pipe", "API_TOKEN"]], ids=" ".join)
def test_a_killed_supervisor_leaves_no_program(vault, command):
    child = vault.popen(*command, "--", "/bin/sh", "-c", "echo $$-; exec sleep 600", stdout=subprocess.PIPE)
    program = told_pid(child.stdout.readline().decode())
    child.kill()
    assert child.wait() == -9
    wait_gone(program)
    child.stdout.close()
    assert vault.check()["ok"]


def test_a_supervisor_killed_at_any_time_leaves_no_program(vault):
    rng, begun = seeded("kills of a supervisor"), 0
    for number in range(30):
        mark = f"600.{os.getpid()}{number:03d}"
        child = start(vault, ["run", "-s", "API_TOKEN=VALUE", "--", "/bin/sleep", mark], "")
        status, talk = kill_after(child, rng.uniform(0, 0.5))
        assert status == -9, talk
        left = processes_with(mark)
        begun += bool(left)
        for process in left:
            wait_gone(process)
        assert processes_with(mark) == []
    print(f"{begun} of 30 programs were still there when envseal had gone")
    assert vault.check()["ok"]

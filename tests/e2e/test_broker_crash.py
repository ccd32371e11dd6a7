"""kill -9 of client, worker, front or keeper at random moments: no process with a secret in its environment goes on, log and vault
hold together, and unlocking works again. `make broker-crash ROUNDS=1000` for more rounds."""

import os
import pathlib
import shlex
import signal
import termios
import time

import pytest

from broker_support import Broker, comm_of
from envseal_support import SECRETS, finish, seeded, spawn, wait_gone, wait_until

ROUNDS = int(os.environ.get("BROKER_CRASH_ROUNDS", "40"))
CLIENTS = 4
GONE_SECONDS = 10  # the design says 1, which holds on a machine that does nothing else
FULL_CHECK_EVERY = 10
VALUE = SECRETS["API_TOKEN"]
# A child, one in a session of its own, one whose parent is gone, and both; then itself.
PROGRAM = """exec > /dev/null 2>&1 < /dev/null
sleep 600 &
setsid sleep 600 &
( sleep 600 & )
( setsid sh -c 'sleep 600 & exec sleep 600' & )
trap "" TERM HUP INT
exec sleep 600
"""
PROCESSES = 6
WORDS = ["run", "-s", "API_TOKEN", "--", "/bin/sh", "./tree"]


def holders(tag):
    """Every process that has the value in its environment, and a tag that begins so."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if VALUE in content and f"ROUND_TAG={tag}".encode() in content:
            found.append(int(path.parent.name))
    return found


class Client:
    def __init__(self, vault, tag):
        self.tag = tag
        self.process = vault.popen(*WORDS, passphrase=False, env={"ROUND_TAG": tag})

    def is_ready(self):
        return len(holders(self.tag)) == PROCESSES

    def has_ended(self):
        return self.process.poll() is not None


class Round:
    def __init__(self, vault, rng, number):
        self.vault, self.rng, self.number = vault, rng, number
        self.broker = Broker(vault)
        self.clients = [Client(vault, f"{os.getpid()}.{number}.{i}.") for i in range(CLIENTS)]

    def wait_gone(self, tags):
        """-> how long it took until no process of theirs was left"""
        begun = time.monotonic()
        wait_until(lambda: not any(holders(tag) for tag in tags), GONE_SECONDS)
        return time.monotonic() - begun

    def others_go_on(self, gone):
        others = [client for client in self.clients if client is not gone]
        wait_until(lambda: all(client.is_ready() for client in others))
        wait_until(lambda: len(self.broker.workers()) == len(others))
        assert not any(client.has_ended() for client in others)

    def kill_client(self):
        victim = self.rng.choice(self.clients)
        victim.process.kill()
        assert victim.process.wait(60) == -signal.SIGKILL
        # Only then is it certain that nothing is started any more.
        self.others_go_on(victim)
        return self.wait_gone([victim.tag])

    def kill_worker(self):
        workers = self.broker.workers()
        if not workers:
            return self.kill_client()
        os.kill(self.rng.choice(workers), signal.SIGKILL)
        wait_until(lambda: any(client.has_ended() for client in self.clients))
        victim, = [client for client in self.clients if client.has_ended()]
        assert victim.process.returncode == 125
        seconds = self.wait_gone([victim.tag])
        self.others_go_on(victim)
        return seconds

    def kill_all_by(self, pid):
        os.kill(pid, signal.SIGKILL)
        seconds = self.wait_gone([client.tag for client in self.clients])
        for client in self.clients:
            assert client.process.wait(60) == 125
        wait_gone(self.broker.keeper)
        seconds += self.wait_gone([client.tag for client in self.clients])
        return seconds

    def kill_front(self):
        return self.kill_all_by(self.broker.front)

    def kill_keeper(self):
        return self.kill_all_by(self.broker.keeper)

    def end(self):
        for client in self.clients:
            client.process.kill()
            client.process.wait(60)
        self.wait_gone([client.tag for client in self.clients])
        wait_until(lambda: comm_of(self.broker.front) == "" or not self.broker.workers())


def crash_rounds(vault, rng, rounds):
    longest, counts = 0, {}
    for number in range(rounds):
        one = Round(vault, rng, number)
        kind = rng.choice(["client", "worker", "front", "keeper"])
        # From before the connection to behind the last child's start.
        time.sleep(rng.uniform(0, 0.15))
        seconds = getattr(one, f"kill_{kind}")()
        one.end()
        longest, counts[kind] = max(longest, seconds), counts.get(kind, 0) + 1
        if kind in ("front", "keeper"):
            wait_until(lambda: vault.run("status").status == 4)
            vault.unlock()
        vault.ok("audit", "verify", *([] if number % FULL_CHECK_EVERY == 0 else ["--chain-only"]),
                 passphrase=number % FULL_CHECK_EVERY == 0)
    print(f"FIGURE {rounds} rounds {counts}: everything was gone after {longest:.3f} s at the latest")
    return longest


@pytest.mark.skipif(os.geteuid() == 0, reason="root sees the environment of everybody's processes")
def test_no_secret_outlives_a_kill(vault):
    (vault.work / "tree").write_text(PROGRAM)
    vault.allow(WORDS)
    vault.unlock()
    longest = crash_rounds(vault, seeded("broker crash rounds"), ROUNDS)
    assert longest < GONE_SECONDS and holders(f"{os.getpid()}.") == []
    assert vault.check()["ok"] and vault.is_value("API_TOKEN", VALUE)
    assert vault.broker()["state"] == "unlocked"


def test_a_killed_worker_leaves_the_terminal_as_it_was(vault):
    """As a killed envseal does in the direct mode."""
    words = ["run", "-s", "API_TOKEN", "--", "/bin/cat"]
    vault.allow(words)
    vault.unlock()
    own = Broker(vault)
    line = f"read go; {shlex.join(vault.words(words, False, None, None))}; echo over $?; read go"
    for _ in range(6):
        child = spawn(["/bin/sh", "-c", line], env=vault.environment(None), cwd=vault.work)
        before = termios.tcgetattr(child.child_fd)
        child.sendline()
        wait_until(lambda: termios.tcgetattr(child.child_fd) != before)
        worker, = own.workers()
        os.kill(worker, signal.SIGKILL)
        child.expect("over 125")
        wait_until(lambda: termios.tcgetattr(child.child_fd) == before, 10)
        child.sendline()
        finish(child)
        own.wait_quiet()
    vault.lock()

"""C18: what is locked is locked, whatever somebody else holds or keeps back meanwhile."""

import fcntl
import os
import signal

import pytest

from broker_support import BEGIN, BEGUN, FOR_WORK, Broker, Client, Streams, ended, frame
from envseal_support import wait_gone

# The keeper waits so long for its record (keeper.c), and ends.
GONE_SECONDS = 40


@pytest.fixture
def log_lock(vault):
    """The audit log's lock, taken by another process of the user."""
    path, = vault.dir.rglob("audit.lock")
    descriptor = os.open(path, os.O_RDONLY)
    yield lambda: fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.close(descriptor)


@pytest.mark.parametrize("how", ["asked", "terminated"])
def test_a_log_that_is_kept_locked_keeps_no_key(vault, log_lock, how):
    """The record is lost, and that alone."""
    vault.unlock()
    own = Broker(vault)
    log_lock()
    if how == "asked":
        vault.lock()
    else:
        os.kill(own.keeper, signal.SIGTERM)
    wait_gone(own.keeper, GONE_SECONDS)
    wait_gone(own.front, GONE_SECONDS)
    vault.has_broker = False
    assert vault.run("status").status == 4


def test_nothing_begins_behind_the_lock(vault):
    """A client that is permitted, and puts off the beginning until the human has locked."""
    words = ["run", "-s", "API_TOKEN", "--", "/bin/sh", "-c", "echo started"]
    vault.allow(words)
    vault.unlock()
    with Client(vault, FOR_WORK) as client, Streams(vault.work) as streams:
        client.ask(words, streams.fds)
        client.expect(BEGIN)
        vault.lock()
        client.send(frame(BEGUN))
        status, number = ended(client.next())
        assert (status, number) == (125, 0) and streams.out == b"" and "the vault was locked" in streams.talk

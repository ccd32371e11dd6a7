"""C12: a program does not outlive its supervisor unnoticed. Here: the supervisor is killed."""

import os
import select
import signal

import pytest

from attack_support import Sieve, start
from envseal_support import SECRETS, direct_only, masked, process_state, wait_gone, wait_until

SIEVE = Sieve([SECRETS["API_TOKEN"]])


# -------------------------------------------------------------------------------------------------- envseal is killed


@pytest.mark.parametrize("program", [
    'echo $$ > "$0"; exec /bin/sleep 600', 'trap "" HUP INT TERM QUIT PIPE; echo $$ > "$0"; while :; do :; done',
    'exec < /dev/null > /dev/null 2>&1; echo $$ > "$0"; exec /bin/sleep 600',
    'echo $$ > "$0"; kill -STOP $$; exec /bin/sleep 600'], ids=["plain", "stubborn", "silent", "stopped"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name)
def test_the_program_goes_with_its_supervisor(shared, fifo, program, number):
    process = start(shared, "/bin/sh", "-c", program, fifo)
    pid = int(fifo.read_text())
    if "STOP" in program:
        wait_until(lambda: process_state(pid) == "T")
    held = os.pidfd_open(pid)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == -number
    ready, _, _ = select.select([held], [], [], 60)
    os.close(held)
    assert ready, "the program lives on"
    process.communicate()


def test_what_was_said_until_then_is_redacted(shared, fifo):
    process = start(shared, "/bin/sh", "-c", 'echo "before $API_TOKEN"; echo $$ > "$0"; exec /bin/sleep 600', fifo)
    pid = int(fifo.read_text())
    assert process.stdout.readline().decode() == f"before {masked('API_TOKEN')}\n"
    process.kill()
    out, err = process.communicate(timeout=60)
    SIEVE.assert_clean(out + err, "the rest")
    wait_gone(pid)


@direct_only("a worker outlives its client, and records the end")
def test_the_end_is_missing_in_the_record_and_nothing_else(shared, fifo):
    """The intent was on disk before the program began: a killed envseal cannot hide that there was a run."""
    before = len(shared.records())
    process = start(shared, "/bin/sh", "-c", 'echo $$ > "$0"; exec /bin/sleep 600', fifo)
    pid = int(fifo.read_text())
    assert [record["kind"] for record in shared.records()[before:]] == ["run.intent"]
    process.kill()
    process.communicate(timeout=60)
    wait_gone(pid)
    assert len(shared.records()) == before + 1 and shared.check()["ok"]


def test_pipe_does_so_too(shared, fifo):
    process = shared.popen("pipe", "API_TOKEN", "--", "/bin/sh", "-c", 'echo $$ > "$0"; exec /bin/sleep 600', fifo)
    pid = int(fifo.read_text())
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    wait_gone(pid)

"""C12: a program does not outlive its supervisor unnoticed. Here: the program ends, stops, or leaves somebody behind."""

import os
import signal
import subprocess

from attack_support import start
from envseal_support import PYTHON, is_alive, masked, process_state, told_pid, wait_gone, wait_until

TOLD = "run: processes that outlived the program and still held its output were ended"

# Forks twice, begins a session, and tells its number by the FIFO; then does what the words behind it say. The program
# ends when that was told: what comes later counts as a survivor's, which has little time.
DAEMON = r"""
import os, signal, sys
fifo, holds, ignores, then = sys.argv[1], sys.argv[2] == "holds", sys.argv[3] == "stubborn", sys.argv[4]
waits, told = os.pipe()
if os.fork():
    os.close(told)
    os.read(waits, 1)
    os.wait()
    print("program over", flush=True)
    os._exit(3)
os.setsid()
if os.fork():
    os._exit(0)
if ignores:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
if not holds:
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
with open(fifo, "w") as file:
    file.write(str(os.getpid()))
os.close(told)
if then == "flood":
    while True:
        os.write(1, b"x" * 65536)
if then == "leak":
    while True:
        os.write(2, os.environ["API_TOKEN"].encode() + b"\n")
if then == "stop":
    os.kill(os.getpid(), signal.SIGSTOP)
while True:
    signal.pause()
"""


def daemon(vault, fifo, *words):
    process = start(vault, PYTHON, "-c", DAEMON, fifo, *words)
    return process, int(fifo.read_text())


def end(process):
    out, err = process.communicate(timeout=120)
    return out, err.decode(), process.returncode


def outcome(vault):
    record = vault.records()[-1]
    assert record["kind"] == "run.outcome"
    return record


def test_a_daemon_that_holds_the_output_is_ended(shared, fifo):
    process, survivor = daemon(shared, fifo, "holds", "stubborn", "wait")
    out, err, status = end(process)
    wait_gone(survivor)
    assert out == b"program over\n" and status == 3 and TOLD in err
    assert outcome(shared)["writers_ended"] is True and outcome(shared)["status"] == 3


def test_a_daemon_that_let_go_is_left_alone(shared, fifo):
    process, survivor = daemon(shared, fifo, "lets-go", "polite", "wait")
    out, err, status = end(process)
    try:
        assert is_alive(survivor)
        assert out == b"program over\n" and status == 3 and TOLD not in err
        assert outcome(shared)["writers_ended"] is False
    finally:
        os.kill(survivor, signal.SIGKILL)
    wait_gone(survivor)


def test_a_flood_does_not_stretch_the_bound(shared, fifo):
    process, survivor = daemon(shared, fifo, "holds", "stubborn", "flood")
    while process.stdout.read(1 << 20):
        pass
    assert process.wait(60) == 3
    wait_gone(survivor)
    assert outcome(shared)["writers_ended"] is True
    process.communicate()


def test_a_flood_of_values_is_redacted_to_its_last_byte(shared, fifo):
    """Cut in the middle of a value, what is left of it must not be let out."""
    process, survivor = daemon(shared, fifo, "holds", "stubborn", "leak")
    collected = []
    while block := process.stderr.read(1 << 16):
        collected.append(block)
    assert process.wait(60) == 3
    wait_gone(survivor)
    text = b"".join(collected)
    assert text.count(masked("API_TOKEN").encode()) > 1000
    body, _, _ = text.partition(b"envseal: run:")
    for piece in set(body.split(b"\n")):
        assert piece in (b"", masked("API_TOKEN").encode()) or masked("API_TOKEN").encode().startswith(piece), piece
    process.communicate()


def test_a_stopped_survivor_is_ended_too(shared, fifo):
    process, survivor = daemon(shared, fifo, "holds", "polite", "stop")
    wait_until(lambda: process_state(survivor) in "TXZ")
    out, err, status = end(process)
    wait_gone(survivor)
    assert out == b"program over\n" and status == 3 and TOLD in err
    assert outcome(shared)["writers_ended"] is True


def test_many_survivors(shared):
    script = 'for i in 1 2 3 4 5 6 7 8; do (trap "" TERM; setsid sleep 600 & echo $!-) & done; wait'
    out, err, status = end(start(shared, "/bin/bash", "-c", script))
    assert status == 0 and TOLD in err
    pids = [told_pid(word) for word in out.decode().split()]
    assert len(pids) == 8
    for pid in pids:
        wait_gone(pid)
    assert outcome(shared)["writers_ended"] is True


def test_a_process_of_somebody_else_is_not_ended(shared, fifo, tmp_path):
    """It holds the same output as envseal, and not the program's: a terminal or a file of the caller is no tie."""
    with open(tmp_path / "out", "wb") as both:
        bystander = subprocess.Popen(["/bin/sleep", "600"], stdout=both, stderr=both)
        process = shared.popen("run", "-s", "API_TOKEN", "--", "/bin/sh", "-c", "sleep 600 & exit 0", stdout=both, stderr=both)
        assert process.wait(120) == 0
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert outcome(shared)["writers_ended"] is True


def test_the_program_closes_its_output_and_goes_on(shared, fifo):
    """The end of its output is not its end: envseal waits, and its status is the program's."""
    process = start(shared, "/bin/sh", "-c", 'echo said; exec >&- 2>&-; read word < "$0"; exit 5', fifo)
    assert process.stdout.readline() == b"said\n"
    fifo.write_text("go\n")
    assert end(process) == (b"", "", 5)
    assert outcome(shared)["writers_ended"] is False


def test_a_stopped_program_is_no_ended_one(shared, fifo):
    """Stopped from outside, envseal stops along, as a shell's job does; both go on together."""
    process = start(shared, "/bin/sh", "-c", 'echo $$ > "$0"; read word < "$0"; echo "went $word"', fifo)
    pid = int(fifo.read_text())
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: process_state(pid) == "T" and process_state(process.pid) == "T")
    os.kill(process.pid, signal.SIGCONT)
    wait_until(lambda: process_state(pid) != "T")
    fifo.write_text("on\n")
    out, _, status = end(process)
    assert out == b"went on\n" and status == 0


def test_output_through_a_descriptor_that_was_handed_on(shared, fifo):
    """The program's pipe, opened anew through /proc by a process that is not its child, is read to its end."""
    process = start(shared, "/bin/sh", "-c", 'echo $$ > "$0"; read word < "$0"; exit 4', fifo, options=["--no-shield"])
    pid = int(fifo.read_text())
    stranger = subprocess.Popen(["/bin/sh", "-c", 'exec > "$0"; echo opened >&2; exec sleep 600', f"/proc/{pid}/fd/1"],
                                stderr=subprocess.PIPE)
    said = stranger.stderr.readline()
    fifo.write_text("go\n")
    out, err, status = end(process)
    assert status == 4, (out, err)
    # It is neither of the program's session nor a descendant: let alone, but its output is not waited for.
    assert stranger.poll() is None
    stranger.kill()
    stranger.communicate()
    assert said != b"opened\n" or outcome(shared)["writers_ended"] is True

"""How long the vault stays open without a run: from the end of the last one that was permitted."""

import subprocess
import time

from envseal_support import is_alive, wait_gone

IDLE = 2
WAITS = ["-s", "API_TOKEN", "--", "/bin/sh", "-c", "echo begun; read line; echo ended"]


def unlock(vault):
    vault.unlock("--idle", f"{IDLE}s")
    return vault.broker()["pid"]


def start(vault):
    return vault.popen("run", *WAITS, passphrase=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def assert_locked_as_idle(vault):
    last = vault.records(kind="broker")[-1]
    assert (last["kind"], last["reason"]) == ("broker.lock", "idle")
    vault.run("status", status=4)


def test_a_permitted_run_keeps_it_open(vault):
    vault.allow(["run", *WAITS])
    pid = unlock(vault)
    run = start(vault)
    assert run.stdout.readline() == b"begun\n", run.stderr.read()
    time.sleep(IDLE + 1)
    assert is_alive(pid)
    assert (vault.broker()["pid"], vault.broker()["running"]) == (pid, 1)
    before = time.monotonic()
    out, talk = run.communicate(b"\n", timeout=60)
    assert (run.returncode, out) == (0, b"ended\n"), talk
    wait_gone(pid)
    assert time.monotonic() - before >= IDLE, "idleness counts from the end of the run"
    assert_locked_as_idle(vault)


def test_a_run_that_is_killed_keeps_it_open_no_longer(vault):
    vault.allow(["run", *WAITS])
    pid = unlock(vault)
    run = start(vault)
    assert run.stdout.readline() == b"begun\n", run.stderr.read()
    run.kill()
    run.communicate(timeout=60)
    wait_gone(pid)
    assert_locked_as_idle(vault)


def test_a_request_that_waits_does_not_keep_it_open(vault):
    pid = unlock(vault)
    run = start(vault)
    assert b"waiting for approval" in run.stderr.readline()
    wait_gone(pid)
    out, talk = run.communicate(timeout=60)
    assert (run.returncode, out) == (125, b"")
    assert b"the vault was locked before anybody approved this" in talk
    assert_locked_as_idle(vault)

"""The vault kept open, and closed: unlock, lock, status."""

import os
import re
import select
import socket
import subprocess

import pytest

from envseal_support import PASSPHRASE, finish, is_alive, wait_gone

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
NUMBERS = ("since", "until", "idle_seconds", "pid", "running", "waiting", "consoles")


def unlock(vault, *options, **more):
    vault.has_broker = True
    return vault.run("unlock", "--passphrase-file", str(vault.passphrase_file), *options, **more)


def test_nothing_is_unlocked(vault):
    assert vault.run("status", status=4).text == "locked\n"
    assert vault.run("status", "--json", status=4).json() == {"version": 1, "state": "locked"} | dict.fromkeys(NUMBERS)
    result = vault.ok("lock")
    assert (result.text, result.talk) == ("", "envseal: nothing was unlocked\n")
    assert vault.ok("lock", "--json").json() == {"version": 1, "was_unlocked": False}


def test_unlocked_and_locked(vault):
    result = unlock(vault, status=0)
    assert result.text == ""
    assert re.fullmatch(rf"envseal: unlocked until {TIME}; locks after 30 min without a run; "
                        r"approve requests with `envseal approve`\n", result.talk)
    rows = dict(line.split(maxsplit=1) for line in vault.ok("status").text.splitlines())
    assert list(rows) == ["state", "since", "until", "idle", "process", "running", "waiting", "consoles"]
    assert (rows["state"], rows["idle"], rows["running"], rows["waiting"], rows["consoles"]) == ("unlocked", "30 min", "0", "0", "0")
    status = vault.ok("status", "--json").json()
    assert set(status) == {"version", "state", *NUMBERS}
    assert status["state"] == "unlocked" and status["idle_seconds"] == 1800 and status["pid"] == int(rows["process"])
    assert is_alive(status["pid"])
    assert vault.ok("lock", "--json").json() == {"version": 1, "was_unlocked": True}
    wait_gone(status["pid"])
    assert vault.run("status", status=4).text == "locked\n"
    kinds = [record["kind"] for record in vault.records(kind="broker")]
    assert kinds == ["broker.unlock", "broker.lock"]
    assert vault.check()["ok"]


def test_json_and_no_idle(vault):
    result = unlock(vault, "--for", "90m", "--idle", "never", "--json", status=0)
    found = result.json()
    assert set(found) == {"version", "pid", "until", "idle_seconds"} and found["idle_seconds"] == 0
    status = vault.ok("status", "--json").json()
    assert (status["pid"], status["until"], status["idle_seconds"]) == (found["pid"], found["until"], 0)
    assert "locks after" not in result.talk
    assert "idle        never\n" in vault.ok("status").text


def test_idle_is_never_longer_than_all(vault):
    assert unlock(vault, "--for", "1m", "--json", status=0).json()["idle_seconds"] == 60


def test_idle_locks(vault):
    pid = unlock(vault, "--idle", "1s", "--json", status=0).json()["pid"]
    wait_gone(pid)
    vault.run("status", status=4)
    assert vault.records(kind="broker")[-1]["kind"] == "broker.lock"


@pytest.mark.parametrize("options", [
    ["--for", "59s"], ["--for", "8d"], ["--for", "never"], ["--for", "2027-01-31"], ["--for", "0m"], ["--idle", "0s"],
    ["--idle", "soon"], ["--for", "1m", "--idle", "61s"], ["--idle", "9h"], ["NAME"]], ids=" ".join)
def test_usage(vault, options):
    result = vault.run("unlock", *options, status=2)
    assert result.text == "" and "Passphrase" not in result.talk
    vault.run("status", status=4)


def test_a_wrong_passphrase(vault):
    vault.write_passphrase("not this one at all")
    unlock(vault, status=5)
    vault.run("status", status=4)
    vault.write_passphrase(PASSPHRASE)


def test_no_vault_and_no_terminal(no_vault):
    no_vault.run("status", status=4)
    unlock(no_vault, status=3)


def test_twice_is_said_before_the_passphrase(vault):
    pid = unlock(vault, "--json", status=0).json()["pid"]
    # Without a terminal or a file for it: nothing was asked for.
    result = vault.run("unlock", passphrase=False, status=1)
    assert re.fullmatch(rf"envseal: unlock: already unlocked until {TIME}; `envseal lock` ends it\n", result.talk)
    assert vault.ok("status", "--json").json()["pid"] == pid


def test_from_the_terminal(vault):
    vault.has_broker = True
    child = vault.spawn("unlock")
    child.expect("Passphrase: ")
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "unlocked until" in text
    # It has survived the terminal.
    vault.ok("status")


def test_in_the_foreground(vault, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        process = vault.popen("unlock", "--foreground", "--passphrase-file", vault.passphrase_file, passphrase=False,
                              env={"NOTIFY_SOCKET": str(tmp_path / "notify")}, stderr=subprocess.PIPE)
        assert select.select([notify], [], [], 60)[0]
        assert b"READY=1" in notify.recv(4096).split(b"\n")
    assert vault.ok("status", "--json").json()["pid"] == process.pid
    vault.ok("lock")
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 0 and b"unlocked until" in talk


def test_the_socket_is_closed_to_others(vault):
    unlock(vault, status=0)
    assert os.stat(vault.dir / "run").st_mode & 0o777 == 0o700
    assert os.stat(vault.dir / "run/broker.sock").st_mode & 0o777 == 0o600


def test_the_daemon_keeps_no_descriptor_of_its_starter(vault):
    """A lock of the shell's, say, or the pipe that the passphrase came through."""
    ours, theirs = os.pipe()
    vault.has_broker = True
    vault.run("unlock", "--passphrase-file", str(vault.passphrase_file), status=0, pass_fds=[theirs])
    os.close(theirs)
    ready, _, _ = select.select([ours], [], [], 10)
    assert ready and os.read(ours, 1) == b""
    os.close(ours)

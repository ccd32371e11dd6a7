"""C15: guesses at envseal's own prompt are slowed and counted, and the human hears of them; the count cannot be set back in
the vault or in the log alone without that being told."""

import json
import shutil
import subprocess

import pytest

from attack_support import log_read, log_rehash, log_write
from backoff_support import BODY, WRONG, failures, guess, put, put_failures, take, told
from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, copy_vault


@pytest.fixture(scope="module")
def guessed(tmp_path_factory, original):
    """Three guesses behind the anchor, in a file of the log that holds nothing else."""
    vault = copy_vault(original, tmp_path_factory.mktemp("guessed"))
    vault.ok("audit", "verify")
    shutil.copy(vault.database, vault.base / "before.db")
    vault.ok("audit", "rotate")
    for _ in range(3):
        assert guess(vault).status == 5
    put_failures(vault, 3, ago=1_000)
    return vault


@pytest.fixture
def target(tmp_path, guessed):
    shutil.copy(guessed.base / "before.db", tmp_path / "before.db")
    return copy_vault(guessed, tmp_path)


def assert_told(vault, counted, recorded):
    """Once, in the notice and in a record that the vault anchors."""
    result = vault.ok("run", "-s", "API_TOKEN", "--", "true")
    assert f"the vault counts {counted}, the audit log has {recorded}" in result.talk, result
    [record] = told(vault)
    assert (record["counted"], record["recorded"]) == (counted, recorded)
    assert failures(vault) == 0 and vault.check()["unanchored"] == 0
    assert "wrong passphrase" not in vault.ok("run", "-s", "API_TOKEN", "--", "true").talk


def test_a_flood_of_guesses(vault):
    """The right one is among them, at a place where a list of guesses would have it."""
    words = ["guess number %d" % number for number in range(30)]
    words[20] = PASSPHRASE
    answers = [guess(vault, word) for word in words]
    assert {result.status for result in answers[:20]} == {4, 5}
    answered = sum(result.status == 5 for result in answers)
    assert len(vault.records(kind="unlock.failed")) == answered
    # Four seconds of waits stand before the seventh; a machine that needs longer for twenty tries may get that far.
    assert answers[20].status == 4 or answered > 5, answers[20]
    assert_nowhere(SECRETS.values(), b"".join(result.out + result.err for result in answers))


def test_a_refused_try_tells_nothing(vault):
    """Wrong, right and nearly right: the same status and the same words, and no trace of which it was."""
    seen = set()
    for word in (WRONG, PASSPHRASE, PASSPHRASE + " "):
        put_failures(vault, 12, ago=-1)
        before = {name: content for name, content in vault.files().items() if name.startswith("audit")}
        result = guess(vault, word)
        seen.add((result.status, result.out, result.err))
        assert before == {name: content for name, content in vault.files().items() if name.startswith("audit")}
    assert len(seen) == 1 and next(iter(seen))[0] == 4


def test_a_flood_at_once_that_holds_the_right_one(vault):
    """With one try due, one of them is answered; where that was a wrong one, the right one is not."""
    put_failures(vault, 11, ago=1_000)
    processes = []
    for number in range(16):
        path = vault.base / f"guess-{number}"
        path.write_text((PASSPHRASE if number == 15 else f"guess {number}") + "\n")
        path.chmod(0o600)
        processes.append(vault.popen("audit", "verify", "--passphrase-file", path, passphrase=False, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE))
    for process in processes:
        process.communicate(timeout=300)
    states = [process.returncode for process in processes]
    assert set(states) <= {0, 4, 5}
    if states[15] != 0:
        assert states[15] == 4 and states.count(5) == 1


def test_the_file_with_the_guesses_deleted(target):
    """The log ends with the anchored record then, as if nothing had happened since."""
    target.log.unlink()
    assert_told(target, 3, 0)


def test_the_whole_log_deleted(target):
    for path in target.dir.glob("audit*"):
        path.unlink()
    target.run("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started", status=125)
    assert "tail was cut" in target.run("audit", "verify", status=6).talk


@pytest.mark.parametrize("left", [0, 1, 2])
def test_the_tail_cut(target, left):
    lines = log_read(target)
    log_write(target, lines[:left])
    assert_told(target, 3, left)


def test_a_guess_taken_out_of_the_chain(target):
    lines = log_read(target)
    first = json.loads(lines[0])
    lines[0] = lines[0].replace("unlock.failed", "secret.verify")
    log_write(target, log_rehash(lines, first["seq"], first["prev"]))
    assert_told(target, 3, 2)


@pytest.mark.parametrize("count", [1, 2, 4, 4_000_000_000])
def test_the_counter_edited(target, count):
    put_failures(target, count, ago=1_000)
    assert_told(target, count, 3)


def test_the_counter_deleted(target):
    take(target)
    assert_told(target, 0, 3)


@pytest.mark.parametrize("body", [b"\0", b"\1", BODY.pack(1, 0, 0, 0, b"", 0), BODY.pack(2, 3, 0, 0, b"", 0), bytes(1000),
                                  BODY.pack(1, 3, 1 << 63, 0, b"", 0)], ids=range(6))
def test_the_counter_made_unreadable(target, body):
    """Taken for more than anybody can have tried; the right passphrase mends it, and that is told."""
    put(target, body)
    assert_told(target, (1 << 32) - 1, 3)


def test_the_vault_of_before_put_back(target, tmp_path):
    for path in target.dir.glob("vault.db*"):
        path.unlink()
    shutil.copy(tmp_path / "before.db", target.database)
    target.database.chmod(0o600)
    assert_told(target, 0, 3)


def test_a_count_without_a_guess(vault):
    """Somebody who wants the human to wait can have that (the claim says so), but not unnoticed."""
    put_failures(vault, 12)
    assert vault.run("audit", "verify").status == 4
    put_failures(vault, 12, ago=1_000)
    assert_told(vault, 12, 0)


def test_a_clock_of_ones_own(vault):
    """A time namespace moves the clock of the boot, and no root is needed for it."""
    words = ["unshare", "--user", "--time", "--boottime", "100000"]
    if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        pytest.skip("no time namespaces for users here")
    put_failures(vault, 12)
    command = vault.words(["audit", "verify"])
    done = subprocess.run([*words, "--map-root-user", *command], env=vault.env, capture_output=True)
    assert done.returncode == 4 and b"try again in" in done.stderr, done


def test_what_the_limit_says(target):
    """Both put back to what they were: a state that was once true. Nothing on this disk can tell."""
    take(target)
    log_write(target, [])
    assert "wrong passphrase" not in target.ok("run", "-s", "API_TOKEN", "--", "true").talk
    assert not told(target)

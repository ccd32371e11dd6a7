"""After some wrong passphrases each try has to wait; the count is kept in the vault, and the human is told once."""

import os
import re
import resource
import shutil
import subprocess

import pytest

from backoff_support import WRONG, boot_id, failures, guess, put_failures, take, told
from envseal_support import PASSPHRASE, direct_only, finish

pytestmark = direct_only("passphrases are what is tested")

WAIT = re.compile(r"(\d+) wrong passphrases in a row; try again in (\d+) seconds?\n")


def waits(result):
    found = WAIT.search(result.talk)
    assert result.status == 4 and result.out == b"" and found, result
    return int(found[1]), int(found[2])


def test_the_first_three_are_free(vault):
    for count in range(1, 4):
        assert guess(vault).status == 5
        assert failures(vault) == count
    assert [record["count"] for record in vault.records(kind="unlock.failed")] == [1, 2, 3]
    assert all(set(record["asker"]) == {"pid", "name"} for record in vault.records(kind="unlock.failed"))


@pytest.mark.parametrize("count, longest", [(4, 2), (8, 32), (12, 300), (40, 300)])
def test_from_then_on_each_try_waits(vault, count, longest):
    # A second in the future: as if the try had been a moment ago, however slow this machine is.
    put_failures(vault, count, ago=-1)
    assert waits(guess(vault)) == (count, longest)


def test_a_try_that_must_wait_is_not_made(vault):
    """The right passphrase gets the same answer as a wrong one; nothing is counted, and nothing recorded."""
    put_failures(vault, 12)
    before = vault.records()
    told_of_wrong = waits(guess(vault))
    told_of_right = waits(guess(vault, PASSPHRASE))
    assert told_of_wrong[0] == told_of_right[0] == 12 and failures(vault) == 12
    assert vault.records() == before


def test_every_command_waits(vault):
    put_failures(vault, 12)
    for words in (["verify", "API_TOKEN"], ["set", "NEW", "--stdin"], ["rm", "API_TOKEN", "--yes"],
                  ["audit", "accept", "--yes"], ["redact", "-s", "API_TOKEN"]):
        waits(vault.run(*words, input=b"something"))
    for words in (["run", "-s", "API_TOKEN"], ["inject", "-s", "API_TOKEN"], ["pipe", "API_TOKEN"]):
        result = vault.run(*words, "--", "sh", "-c", "echo started")
        assert result.status == 125 and result.out == b"" and WAIT.search(result.talk), result
    assert vault.names() == ["API_TOKEN", "DATABASE_URL", "team/deploy-key"]


def test_the_terminal_waits_too(vault):
    put_failures(vault, 12)
    child = vault.spawn("tag", "API_TOKEN", "--add", "x")
    child.expect("Passphrase: $")
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 4 and WAIT.search(text.replace("\r", ""))


def test_when_the_wait_is_over(vault):
    put_failures(vault, 12, ago=300)
    assert guess(vault).status == 5
    assert failures(vault) == 13
    assert waits(guess(vault))[0] == 13


def test_what_can_be_done_without_a_passphrase_does_not_wait(vault):
    put_failures(vault, 12)
    vault.ok("list")
    vault.ok("set", "LATER", "--stdin", "--locked", input=b"deposited meanwhile")
    vault.ok("audit", "verify", "--chain-only")
    assert failures(vault) == 12


@pytest.mark.parametrize("by_date, by_boot, status", [
    (1_000_000, 0, 4), (0, 1_000, 4), (-1_000_000, 0, 4), (-1_000_000, 5, 5), (5, -1_000_000, 5)])
def test_a_clock_that_was_moved(vault, by_date, by_boot, status):
    """The smaller answer counts, of those that are possible. Three wrong ones: one second."""
    count = 12 if status == 4 else 3
    put_failures(vault, count, by_date=by_date, by_boot=by_boot)
    assert guess(vault).status == status


def test_a_restart_does_not_end_it(vault):
    put_failures(vault, 12, boot=bytes(reversed(boot_id())))
    waits(guess(vault))


def test_of_32_at_once_as_many_are_answered_as_one_after_another(vault):
    """One try is due, and the next one in 300 seconds."""
    put_failures(vault, 11, ago=1_000)
    vault.write_passphrase(WRONG)
    tries = [vault.popen("audit", "verify", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(32)]
    for process in tries:
        process.communicate(timeout=300)
    vault.write_passphrase(PASSPHRASE)
    assert sorted(process.returncode for process in tries) == [4] * 31 + [5]
    assert failures(vault) == 12 and [record["count"] for record in vault.records(kind="unlock.failed")] == [12]


def test_of_32_at_once_none_is_lost(vault):
    """Whatever is answered is counted and recorded, and the human hears of all."""
    vault.write_passphrase(WRONG)
    tries = [vault.popen("audit", "verify", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(32)]
    for process in tries:
        process.communicate(timeout=300)
    vault.write_passphrase(PASSPHRASE)
    answered = sum(process.returncode == 5 for process in tries)
    assert {process.returncode for process in tries} <= {4, 5} and answered >= 3
    assert failures(vault) == len(vault.records(kind="unlock.failed")) == answered
    put_failures(vault, answered, ago=1_000)
    assert f"{answered} wrong passphrases since" in vault.ok("audit", "verify").talk


@pytest.mark.parametrize("words", [["audit", "verify"], ["tag", "API_TOKEN", "--add", "x"], ["doctor"],
                                   ["run", "-s", "API_TOKEN", "--", "true"], ["inject", "-s", "API_TOKEN", "--", "true"]])
def test_the_next_unlock_tells_once(vault, words):
    options = ["--passphrase-file", vault.passphrase_file] if words == ["doctor"] else []
    guess(vault)
    guess(vault)
    first = vault.records(kind="unlock.failed")[0]["time"]
    notice = f"envseal: 2 wrong passphrases since {first} (see `envseal audit show --kind unlock`)\n"
    result = vault.ok(*words, *options)
    assert result.talk.count(notice) == 1
    again = vault.ok(*words, *options)
    assert "wrong passphrase" not in again.talk + again.text
    [record] = told(vault)
    assert (record["counted"], record["recorded"], record["since"]) == (2, 2, first)
    assert failures(vault) == 0 and vault.check()["ok"]


def test_a_success_begins_anew(vault):
    put_failures(vault, 12, ago=300)
    vault.ok("audit", "verify")
    for _ in range(3):
        assert guess(vault).status == 5
    assert failures(vault) == 3


def test_a_failed_command_tells_too(vault):
    """The passphrase was right; that the rest went wrong is another matter."""
    guess(vault)
    result = vault.run("rollback", "API_TOKEN")
    assert result.status == 1 and "1 wrong passphrase since" in result.talk
    assert len(told(vault)) == 1 and failures(vault) == 0


def test_while_a_program_runs(vault):
    """Its record moves the anchor past them, so its end tells."""
    process = vault.popen("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started; read line", stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"started\n"
    guess(vault)
    guess(vault)
    _, complaints = process.communicate(b"\n", timeout=60)
    assert process.returncode == 0 and b"2 wrong passphrases since" in complaints
    assert failures(vault) == 0 and len(told(vault)) == 1
    assert "wrong passphrase" not in vault.ok("audit", "verify").talk


def test_accepting_a_log_takes_them_along(vault):
    guess(vault)
    shutil.move(vault.log, vault.base / "away")
    result = vault.ok("audit", "accept", "--yes")
    assert "wrong passphrases counted since the last unlock: 1; they stay counted" in result.talk
    assert vault.records()[-1]["wrong_passphrases"] == 1 and failures(vault) == 0
    assert "wrong passphrase" not in vault.ok("audit", "verify").talk


def test_doctor_tells_without_a_passphrase(vault):
    def findings():
        return {finding["id"]: finding for finding in vault.ok("doctor", "--json").json()["findings"]}
    assert "unlock-failures" not in findings()
    guess(vault)
    guess(vault)
    finding = findings()["unlock-failures"]
    assert finding["severity"] == "warn" and "2 wrong passphrases since" in finding["text"]
    assert failures(vault) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes what nobody may write")
def test_a_vault_that_cannot_be_written_is_not_guessed_at(vault):
    """Nothing could be counted, so the passphrase is not looked at."""
    for path in vault.dir.glob("vault.db*"):
        path.chmod(0o400)
    assert guess(vault).status == guess(vault, PASSPHRASE).status == 1


def test_what_cannot_be_recorded_is_said(vault):
    vault.write_passphrase(WRONG)
    size = vault.log.stat().st_size
    result = vault.run("audit", "verify", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    vault.write_passphrase(PASSPHRASE)
    assert result.status == 1 or "the failed unlock could not be recorded" in result.talk, result
    assert failures(vault) == 0 and not vault.records(kind="unlock.failed")


def test_a_lost_count_is_told(vault):
    """A crash between the two leaves the record and not the count; so does somebody who takes the count away."""
    guess(vault)
    take(vault)
    result = vault.ok("audit", "verify")
    assert "the vault counts 0, the audit log has 1" in result.talk
    [record] = told(vault)
    assert (record["counted"], record["recorded"]) == (0, 1)

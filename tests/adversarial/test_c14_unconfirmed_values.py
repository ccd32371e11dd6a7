"""C14: a value that nobody with the passphrase confirmed is used by no program."""

import os
import subprocess

import nacl.public
import pytest

from attack_support import DEPOSIT, HEADER, Database, Sieve
from envseal_support import SECRETS, copy_vault, finish

SLIPPED_IN = b"slip-Rz7kQ0vM3xTf9Lc2"
SECOND = b"slap-Nw4jD8yB6pHs1Ga5"
SIEVE = Sieve([SLIPPED_IN, SECOND, *SECRETS.values()])
DELIVERIES = ["run", "inject", "pipe"]


def slip_in(vault, name, value=SLIPPED_IN, *options):
    """What whoever has no passphrase can do."""
    return vault.ok("set", name, "--stdin", "--raw", "--locked", *options, input=value, passphrase=False)


def words_of(action, name, *program):
    return [action, *(["-s", f"{name}=VALUE:file"] if action != "pipe" else [name]), "--", *program]


def received(vault, action, name):
    """What a program is given, written into a file, where no filter is in between. -> (bytes or None, result)"""
    got = vault.work / "got"
    got.unlink(missing_ok=True)
    script = 'exec cat > "$0"' if action == "pipe" else 'exec cat "$VALUE" > "$0"'
    result = vault.run(*words_of(action, name, "/bin/sh", "-c", script, got))
    return got.read_bytes() if got.exists() else None, result


def assert_not_used(vault, action, name):
    value, result = received(vault, action, name)
    assert value is None and result.status == 125 and result.out == b"", result
    assert f"envseal confirm {name}" in result.talk
    SIEVE.assert_clean(result.err, action)


# ----------------------------------------------------------------------------------------------------------- new names


@pytest.mark.parametrize("action", DELIVERIES)
def test_a_new_name_is_not_injected_until_confirmed(vault, action):
    slip_in(vault, "NEW_HOST")
    assert_not_used(vault, action, "NEW_HOST")
    assert not vault.records(kind=f"{action}.intent")
    vault.ok("confirm", "NEW_HOST", "--yes")
    assert received(vault, action, "NEW_HOST")[0] == SLIPPED_IN


def test_one_unconfirmed_name_stops_the_whole_run(vault):
    slip_in(vault, "NEW_HOST")
    ran = vault.work / "ran"
    for action in ("run", "inject"):
        vault.run(action, "-s", "API_TOKEN", "-s", "NEW_HOST", "--", "/usr/bin/touch", ran, status=125)
    assert not ran.exists()


def test_a_manifest_does_not_get_around_it(vault):
    slip_in(vault, "NEW_HOST")
    (vault.work / ".envseal").write_text("API_TOKEN=API_TOKEN\nHOST=NEW_HOST\n")
    ran = vault.work / "ran"
    for action in ("run", "inject"):
        assert "envseal confirm NEW_HOST" in vault.run(action, "--", "/usr/bin/touch", ran, status=125).talk
    assert not ran.exists()


def test_on_a_terminal_the_question_says_so(vault):
    """Whoever approves has read that approving takes the value; whoever declines has not taken it."""
    slip_in(vault, "NEW_HOST")
    ran = vault.work / "ran"
    child = vault.spawn("run", "-s", "NEW_HOST", "--", "/usr/bin/touch", ran)
    child.expect("to approve once: $")
    assert "NEW_HOST: stored while locked at " in child.before
    assert "never confirmed; approving takes this value" in " ".join(child.before.split())
    child.send("\r")
    _, status = finish(child)
    assert status == 125 and not ran.exists() and vault.entry("NEW_HOST")["pending"] is True


@pytest.mark.parametrize("words", [["rename", "NEW_HOST", "OTHER"], ["copy", "NEW_HOST", "OTHER"], ["tag", "NEW_HOST", "--add", "x"],
                                   ["rollback", "NEW_HOST"], ["rename", "API_TOKEN", "NEW_HOST"],
                                   ["copy", "API_TOKEN", "NEW_HOST"]], ids=" ".join)
def test_no_other_command_confirms_by_the_way(vault, words):
    slip_in(vault, "NEW_HOST")
    result = vault.run(*words)
    assert result.status in (1, 3, 4), result
    assert vault.entry("NEW_HOST")["pending"] is True
    assert_not_used(vault, "run", "NEW_HOST")
    assert received(vault, "run", "API_TOKEN")[0] == SECRETS["API_TOKEN"]


# ------------------------------------------------------------------------------------------------------ existing names


@pytest.mark.parametrize("action", DELIVERIES)
def test_over_an_existing_name_the_confirmed_value_stays_in_use(vault, action):
    slip_in(vault, "API_TOKEN", SLIPPED_IN, "--force")
    value, result = received(vault, action, "API_TOKEN")
    assert value == SECRETS["API_TOKEN"] and result.status == 0
    assert "a newer value of API_TOKEN waits to be confirmed and is not used" in result.talk
    vault.ok("confirm", "API_TOKEN", "--yes")
    value, result = received(vault, action, "API_TOKEN")
    assert value == SLIPPED_IN and "waits" not in result.talk


def test_without_force_an_existing_name_is_not_touched(vault):
    before = vault.files()
    vault.run("set", "API_TOKEN", "--stdin", "--locked", input=SLIPPED_IN, passphrase=False, status=1)
    assert vault.files() == before


def test_its_metadata_waits_too(vault):
    """A note or an expiry that came along says nothing about the confirmed value."""
    slip_in(vault, "API_TOKEN", SLIPPED_IN, "--force", "--note", "rotated by ops", "--tag", "approved", "--expires", "1d")
    entry = vault.entry("API_TOKEN")
    assert entry["pending"] is True and not entry["note"] and entry["tags"] == [] and entry["expires"] is None
    assert entry["value_version"] == 1


def test_it_is_no_version_to_roll_back_to(vault):
    slip_in(vault, "API_TOKEN", SLIPPED_IN, "--force")
    for version in ("0", "2"):
        assert vault.run("rollback", "API_TOKEN", "--to", version).status in (1, 2, 3)
    vault.run("verify", "API_TOKEN", "--raw", input=SLIPPED_IN, status=1)
    assert received(vault, "run", "API_TOKEN")[0] == SECRETS["API_TOKEN"]


def test_the_unused_value_is_no_secret_of_the_run(vault):
    """It is not opened at all: what the program prints of its own is left as it is."""
    slip_in(vault, "API_TOKEN", SLIPPED_IN, "--force")
    result = vault.ok("run", "-s", "API_TOKEN", "--", "/bin/echo", SLIPPED_IN)
    assert result.out == SLIPPED_IN + b"\n"


def test_the_name_removed_does_not_let_the_waiting_value_take_its_place(vault):
    slip_in(vault, "API_TOKEN", SLIPPED_IN, "--force")
    vault.run("rm", "API_TOKEN", "--yes")
    value, result = received(vault, "run", "API_TOKEN")
    assert value is None and result.status == 125, result


# ------------------------------------------------------------------------------------------------ confirm and discard


def test_confirming_takes_the_passphrase(vault):
    slip_in(vault, "NEW_HOST")
    vault.run("confirm", "NEW_HOST", "--yes", passphrase=False, status=4)
    vault.write_passphrase("not the passphrase")
    vault.run("confirm", "NEW_HOST", "--yes", status=5)
    vault.run("confirm", "--discard", "NEW_HOST", "--yes", status=5)
    assert vault.entry("NEW_HOST")["pending"] is True


def test_discarded_is_gone(vault):
    slip_in(vault, "NEW_HOST")
    slip_in(vault, "API_TOKEN", SLIPPED_IN, "--force")
    vault.ok("confirm", "--discard", "NEW_HOST", "API_TOKEN", "--yes")
    assert vault.names() == sorted(SECRETS) and not vault.entry("API_TOKEN")["pending"]
    vault.run("confirm", "NEW_HOST", "--yes", status=1)
    value, result = received(vault, "run", "API_TOKEN")
    assert value == SECRETS["API_TOKEN"] and "waits" not in result.talk
    assert received(vault, "run", "NEW_HOST")[0] is None


def test_confirming_one_leaves_the_others(vault):
    slip_in(vault, "NEW_HOST")
    slip_in(vault, "NEW_KEY", SECOND)
    vault.ok("confirm", "NEW_HOST", "--yes")
    assert_not_used(vault, "run", "NEW_KEY")


def test_the_human_sees_what_is_about_to_be_taken(vault):
    """A note is the depositor's, and must not write on the human's terminal what it likes."""
    slip_in(vault, "NEW_HOST", SLIPPED_IN, "--note", "ok\x1b[2K\rAPI_TOKEN")
    slip_in(vault, "API_TOKEN", SECOND, "--force")
    child = vault.spawn("confirm")
    child.expect(r"Take these values\? \[y/N\] ")
    shown = child.before
    child.sendline("n")
    text, status = finish(child)
    assert status == 4
    assert "NEW_HOST" in shown and "API_TOKEN" in shown and "would replace a confirmed value" in shown
    assert r"ok\x1b[2K\rAPI_TOKEN" in shown and "\x1b" not in shown
    SIEVE.assert_clean(shown + text, "the terminal")
    assert vault.entry("NEW_HOST")["pending"] and vault.entry("API_TOKEN")["pending"]


# --------------------------------------------------------------------------------------------------- with the file open


def assert_no_confirm(vault, name):
    before = vault.ok("list", "--json").out
    for words in (["confirm", name], ["confirm", "--yes"]):
        result = vault.run(*words, status=6)
        SIEVE.assert_clean(result.out + result.err, words)
    assert vault.ok("list", "--json").out == before
    return result


def test_a_deposit_for_a_swapped_public_key(vault):
    """Whoever swaps the key can read what is deposited from then on. It is an alarm at the first unlock."""
    mine = nacl.public.PrivateKey.generate()
    with Database(vault.database) as database:
        (key, genuine), = database.rows(HEADER)
        database.put(HEADER, key, genuine[:17] + bytes(mine.public_key) + genuine[49:])
    slip_in(vault, "NEW_HOST")
    assert "public key" in assert_no_confirm(vault, "NEW_HOST").talk
    for action in DELIVERIES:
        assert received(vault, action, "API_TOKEN")[0] is None
    # With the genuine key back in its place the vault works again, and the deposit is what it is: not for this vault.
    with Database(vault.database) as database:
        database.put(HEADER, key, genuine)
    assert_no_confirm(vault, "NEW_HOST")
    assert_not_used(vault, "run", "NEW_HOST")
    assert received(vault, "run", "API_TOKEN")[0] == SECRETS["API_TOKEN"]
    vault.ok("confirm", "--discard", "NEW_HOST", "--yes")
    assert vault.names() == sorted(SECRETS) and vault.check()["ok"]


def tampered(vault, name, change):
    with Database(vault.database) as database:
        database.put(DEPOSIT, name.encode(), change(database.body(DEPOSIT, name.encode())))


@pytest.mark.parametrize("change", [
    lambda body: body[:-1] + bytes([body[-1] ^ 1]), lambda body: body[:-20] + bytes([body[-20] ^ 128]) + body[-19:],
    lambda body: body[:1] + bytes([body[1] ^ 1]) + body[2:], lambda body: body[:2] + os.urandom(16) + body[18:],
    lambda body: body[:18] + (1).to_bytes(8, "little") + body[26:]],
    ids=["tag", "ciphertext", "flag", "id", "time"])
def test_a_tampered_deposit_can_only_be_discarded(vault, change):
    slip_in(vault, "NEW_HOST", SLIPPED_IN, "--note", "the note")
    tampered(vault, "NEW_HOST", change)
    assert_no_confirm(vault, "NEW_HOST")
    assert_not_used(vault, "run", "NEW_HOST")
    vault.ok("confirm", "--discard", "NEW_HOST", "--yes")
    assert vault.names() == sorted(SECRETS) and vault.check()["ok"]


@pytest.mark.parametrize("change", [lambda body: b"", lambda body: body[:1], lambda body: body[:-60], lambda body: body + b"\0",
                                    lambda body: b"\2" + body[1:], lambda body: os.urandom(200)],
                         ids=["empty", "byte", "cut", "longer", "format", "noise"])
def test_a_deposit_that_is_none(vault, change):
    """Refused wherever it is met, and no way around for it. What is confirmed goes on to work."""
    slip_in(vault, "NEW_HOST")
    tampered(vault, "NEW_HOST", change)
    vault.run("confirm", "NEW_HOST", status=6)
    vault.run("confirm", "--yes", status=6)
    value, result = received(vault, "run", "NEW_HOST")
    assert value is None and result.status == 125
    assert received(vault, "run", "API_TOKEN")[0] == SECRETS["API_TOKEN"]
    vault.ok("confirm", "--discard", "NEW_HOST", "--yes")
    assert vault.names() == sorted(SECRETS) and vault.check()["ok"]


def test_two_deposits_swapped(vault):
    slip_in(vault, "NEW_HOST")
    slip_in(vault, "NEW_KEY", SECOND)
    with Database(vault.database) as database:
        host, key = (database.body(DEPOSIT, name) for name in (b"NEW_HOST", b"NEW_KEY"))
        database.put(DEPOSIT, b"NEW_HOST", key)
        database.put(DEPOSIT, b"NEW_KEY", host)
    for name in ("NEW_HOST", "NEW_KEY"):
        vault.run("confirm", name, status=6)
        assert_not_used(vault, "run", name)


def test_a_deposit_of_another_vault(vault, tmp_path, empty_original):
    """Stored elsewhere, where its owner could confirm it, and brought here."""
    other = copy_vault(empty_original, tmp_path / "other")
    slip_in(other, "NEW_HOST")
    with Database(other.database) as database:
        body = database.body(DEPOSIT, b"NEW_HOST")
    # The fixtures are copies of one vault, with one key: that name's deposit fits. Under another name it does not.
    with Database(vault.database) as database:
        database.insert(DEPOSIT, b"API_TOKEN", body)
    vault.run("confirm", "API_TOKEN", "--yes", status=6)
    assert received(vault, "run", "API_TOKEN")[0] == SECRETS["API_TOKEN"]


def test_one_bad_deposit_does_not_take_half_of_them_in(vault):
    """All or none: an error must not leave some confirmed that nobody was told of."""
    for name in ("A_FIRST", "B_BAD", "C_LAST"):
        slip_in(vault, name)
    tampered(vault, "B_BAD", lambda body: body[:-1] + bytes([body[-1] ^ 1]))
    vault.run("confirm", "--yes", status=6)
    assert all(vault.entry(name)["pending"] for name in ("A_FIRST", "B_BAD", "C_LAST"))
    vault.ok("confirm", "--discard", "B_BAD", "--yes")
    vault.ok("confirm", "--yes")
    assert received(vault, "run", "C_LAST")[0] == SLIPPED_IN


@pytest.mark.parametrize("words", [["NEW_KEY", "NEW_HOST"], []], ids=["named", "all"])
def test_swapped_while_the_human_looks_at_it(vault, words):
    """What is taken is what waited when the human looked, or nothing is."""
    slip_in(vault, "NEW_HOST", SLIPPED_IN)
    slip_in(vault, "NEW_KEY", SLIPPED_IN)
    child = vault.spawn("confirm", *words)
    if "NEW_HOST" not in words:
        child.expect(r"Take these values\? \[y/N\] ")
        child.sendline("y")
    child.expect("Passphrase: ")
    swap = subprocess.run(vault.words(["set", "NEW_HOST", "--stdin", "--locked", "--force"], passphrase=False), env=vault.env,
                          input=SECOND, capture_output=True, timeout=60)
    assert swap.returncode == 0, swap
    child.sendline(vault.passphrase_file.read_text().strip())
    text, status = finish(child)
    assert status == 4 and "NEW_HOST was replaced meanwhile" in text
    for name in ("NEW_HOST", "NEW_KEY"):
        assert vault.entry(name)["pending"] is True
        assert_not_used(vault, "run", name)

"""C5: a row that was deleted, changed, moved, swapped or brought back is detected, and so is an older vault put back whole."""

import json
import os
import shutil
import struct

import pytest

from attack_support import DEPOSIT, HEADER, SECRET, SETTING, SLOT, STATE, VERSION, Database
from audit_support import forged, lines_of
from backoff_support import take
from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, copy_vault

OLD, NEW, OTHER = b"old-value-3xGv9Tq", b"new-value-8bWz2Lk", b"other-value-5nRj7M"
VALUES = [OLD, NEW, OTHER, *SECRETS.values()]


@pytest.fixture(scope="module")
def grown(tmp_path_factory, original):
    """A vault with a history, tags and an expiry."""
    vault = copy_vault(original, tmp_path_factory.mktemp("grown"))
    vault.set("KEY", OLD)
    vault.set("KEY", NEW, "--force", "--tag", "prod", "--note", "the key", "--expires", "900d")
    vault.set("OTHER", OTHER)
    return vault


@pytest.fixture
def target(tmp_path, grown):
    return copy_vault(grown, tmp_path)


def assert_refused(vault, name="KEY", says=None):
    """Neither used nor called sound, and nothing of it shown."""
    result = vault.run("run", "-s", name, "--", "sh", "-c", f"echo started; echo ${name}", status=125)
    assert result.out == b"", result
    assert_nowhere(VALUES, result.err)
    assert says is None or any(word in result.talk for word in says), result
    result = vault.run("audit", "verify", status=6)
    assert_nowhere(VALUES, result.out + result.err)


DAMAGE = ("damaged", "do not match", "does not verify", "not the one", "changed", "missing", "older")


def key_of(database, kind, name):
    """The key of the newest version of a secret, or of the row itself."""
    if kind == SECRET:
        return name
    ident = database.body(SECRET, name)[2:18]
    return [key for key, _ in database.rows(VERSION) if key[:16] == ident][-1]


@pytest.mark.parametrize("kind", [SECRET, VERSION], ids=["secret", "version"])
def test_a_deleted_row(target, kind):
    with Database(target.database) as database:
        database.delete(kind, key_of(database, kind, b"KEY"))
    result = target.run("run", "-s", "KEY", "--", "sh", "-c", "echo started", status=125)
    assert result.out == b""
    target.run("audit", "verify", status=6)


@pytest.mark.parametrize("kind", [HEADER, SLOT, STATE], ids=["header", "slot", "state"])
def test_a_deleted_foundation(target, kind):
    with Database(target.database) as database:
        (key, _), = database.rows(kind)
        database.delete(kind, key)
    assert_refused(target)


@pytest.mark.parametrize("kind", [SECRET, VERSION, HEADER, SLOT, STATE], ids=["secret", "version", "header", "slot", "state"])
def test_every_byte_of_a_row(target, kind):
    """Sampled, one bit each, with the tree made anew around it."""
    with Database(target.database) as database:
        key = key_of(database, kind, b"KEY") if kind in (SECRET, VERSION) else database.rows(kind)[0][0]
        body = database.body(kind, key)
    for at in sorted({0, len(body) - 1, *range(1, len(body), max(1, len(body) // 4))}):
        changed = bytearray(body)
        changed[at] ^= 1 << at % 8
        with Database(target.database) as database:
            database.put(kind, key, bytes(changed))
        result = target.run("run", "-s", "KEY", "--", "sh", "-c", "echo started", status=125)
        assert result.out == b"", at
        assert_nowhere(VALUES, result.err)
        # A slot that was changed looks like a wrong passphrase.
        take(target)
    with Database(target.database) as database:
        database.put(kind, key, body)
    assert target.is_value("KEY", NEW)


def test_an_older_version_under_the_newer_number(target):
    with Database(target.database) as database:
        ident = database.body(SECRET, b"KEY")[2:18]
        older, newer = [key for key, _ in database.rows(VERSION) if key[:16] == ident]
        database.put(VERSION, newer, database.body(VERSION, older))
    assert_refused(target, says=DAMAGE)


def test_the_older_row_brought_back(target, tmp_path):
    """The metadata as it was before: the earlier value would count again."""
    with Database(target.database) as database:
        before = database.body(SECRET, b"KEY")
    target.set("KEY", OTHER, "--force")
    with Database(target.database) as database:
        database.put(SECRET, b"KEY", before)
    assert_refused(target, says=DAMAGE)


def test_values_swapped_between_two_names(target):
    with Database(target.database) as database:
        rows = {name: key_of(database, VERSION, name) for name in (b"KEY", b"OTHER")}
        bodies = {name: database.body(VERSION, key) for name, key in rows.items()}
        database.put(VERSION, rows[b"KEY"], bodies[b"OTHER"])
        database.put(VERSION, rows[b"OTHER"], bodies[b"KEY"])
    assert_refused(target, says=DAMAGE)
    assert_refused(target, "OTHER", says=DAMAGE)


def test_metadata_swapped_between_two_names(target):
    """So that one name leads to the other's value."""
    with Database(target.database) as database:
        key, other = database.body(SECRET, b"KEY"), database.body(SECRET, b"OTHER")
        database.put(SECRET, b"KEY", other)
        database.put(SECRET, b"OTHER", key)
    assert_refused(target, says=DAMAGE)


def test_a_secret_renamed_in_the_file(target):
    with Database(target.database) as database:
        body = database.body(SECRET, b"OTHER")
        database.delete(SECRET, b"OTHER")
        database.insert(SECRET, b"ANOTHER", body)
    assert_refused(target, "ANOTHER")


def test_a_row_of_another_vault(target, tmp_path_factory, empty_original):
    """With the same passphrase and the same name: still another vault."""
    stranger = copy_vault(empty_original, tmp_path_factory.mktemp("stranger"))
    shutil.rmtree(stranger.dir)
    stranger.init()
    stranger.set("KEY", OTHER)
    with Database(stranger.database) as database:
        secret, version = database.body(SECRET, b"KEY"), database.rows(VERSION)[0]
        slot, header, state = (database.rows(kind)[0] for kind in (SLOT, HEADER, STATE))
    whole = {"secret": [(SECRET, b"KEY", secret)], "slot": [(SLOT, *slot)], "header": [(HEADER, *header)], "state": [(STATE, *state)],
             "header and slot": [(HEADER, *header), (SLOT, *slot)], "all but the values": [
                 (HEADER, *header), (SLOT, *slot), (STATE, *state)]}
    for what, rows in whole.items():
        victim = copy_vault(target, tmp_path_factory.mktemp("victim"))
        with Database(victim.database) as database:
            for kind, key, body in rows:
                database.put(kind, key, body)
            if what == "secret":
                database.insert(VERSION, *version)
        result = victim.run("run", "-s", "KEY", "--", "sh", "-c", "echo started", status=125)
        assert result.out == b"", what
        assert victim.run("audit", "verify").status in (5, 6), what


def test_the_public_key_swapped(target):
    """Deposits would go to whoever has the other half; it is an alarm at the next unlock."""
    with Database(target.database) as database:
        (key, body), = database.rows(HEADER)
        database.put(HEADER, key, body[:17] + os.urandom(32) + body[49:])
    assert_refused(target, says=("public key", *DAMAGE))
    target.run("set", "X", "--stdin", input=OTHER, status=6)


def test_the_slot_swapped_for_ones_own(target, tmp_path_factory, empty_original):
    """A slot made with a passphrase that the attacker knows does not open this vault."""
    mine = copy_vault(empty_original, tmp_path_factory.mktemp("mine"))
    shutil.rmtree(mine.dir)
    mine.write_passphrase("the attackers own passphrase 77")
    mine.init()
    with Database(mine.database) as database:
        (_, body), = database.rows(SLOT)
    with Database(target.database) as database:
        (key, _), = database.rows(SLOT)
        database.put(SLOT, key, body)
    assert target.run("run", "-s", "KEY", "--", "true", status=125).out == b""
    target.write_passphrase("the attackers own passphrase 77")
    assert target.run("run", "-s", "KEY", "--", "sh", "-c", "echo started", status=125).out == b""


def test_a_slot_added(target, tmp_path_factory, empty_original):
    with Database(target.database) as database:
        (_, body), = database.rows(SLOT)
        database.insert(SLOT, (1).to_bytes(4, "big"), body)
    assert_refused(target)


def test_settings_edited(target):
    """The counter of wrong answers is one: who could set it back could guess on."""
    for _ in range(5):
        target.run("verify", "KEY", "--raw", input=OLD, status=1)
    target.run("verify", "KEY", "--raw", input=NEW, status=4)
    with Database(target.database) as database:
        rows = database.rows(SETTING)
        assert rows
        for key, _ in rows:
            database.delete(SETTING, key)
    target.run("verify", "KEY", "--raw", input=NEW, status=6)


def test_an_older_setting_brought_back(target):
    target.run("verify", "KEY", "--raw", input=OLD, status=1)
    with Database(target.database) as database:
        before = database.rows(SETTING)
    target.run("verify", "KEY", "--raw", input=OLD, status=1)
    with Database(target.database) as database:
        for key, body in before:
            database.put(SETTING, key, body)
    target.run("verify", "KEY", "--raw", input=NEW, status=6)


@pytest.mark.parametrize("change", [lambda generation: generation - 1, lambda generation: generation + 1, lambda generation: 1,
                                    lambda generation: (1 << 64) - 1], ids=["back", "on", "first", "last"])
def test_the_generation_changed(target, change):
    with Database(target.database) as database:
        (key, body), = database.rows(STATE)
        generation, = struct.unpack("<Q", body[17:25])
        database.put(STATE, key, body[:17] + struct.pack("<Q", change(generation)) + body[25:])
    assert_refused(target, says=DAMAGE)


def test_the_root_and_the_anchor_changed(target):
    with Database(target.database) as database:
        (key, body), = database.rows(STATE)
        root = database.rehash()
        assert body[25:57] == root
    for at in (25, 57, 65, 97, 105, 136):
        with Database(target.database) as database:
            database.put(STATE, key, body[:at] + bytes([body[at] ^ 1]) + body[at + 1:])
        assert target.run("run", "-s", "KEY", "--", "true", status=125).out == b""
    with Database(target.database) as database:
        database.put(STATE, key, body)
    target.ok("run", "-s", "KEY", "--", "true")


def test_an_older_state_brought_back(target):
    with Database(target.database) as database:
        (key, before), = database.rows(STATE)
    target.set("ONE_MORE", OTHER)
    with Database(target.database) as database:
        database.put(STATE, key, before)
    assert_refused(target, says=DAMAGE)


def test_nodes_of_the_tree(target):
    """The stored hashes only save work: who edits them gains nothing."""
    with Database(target.database) as database:
        level, place, value = database.db.execute("SELECT level, place, hash FROM node ORDER BY level, place LIMIT 1").fetchone()
        database.db.execute("UPDATE node SET hash = ? WHERE level = ? AND place = ?", (bytes(32), level, place))
    assert target.run("audit", "verify").status == 6
    with Database(target.database) as database:
        database.db.execute("DELETE FROM node")
    assert_refused(target)


def test_hidden_machinery(target):
    """A trigger or a view would act while envseal works."""
    for statement in ("CREATE TRIGGER evil AFTER UPDATE ON row BEGIN DELETE FROM row WHERE kind = 3; END",
                      "CREATE VIEW evil AS SELECT * FROM row", "CREATE TABLE evil(x)", "CREATE INDEX evil ON row(body)"):
        with Database(target.database) as database:
            database.db.execute(statement)
        for words in (["list"], ["show", "KEY"], ["set", "X", "--generate", "20"], ["audit", "verify"]):
            target.run(*words, status=6)
        target.run("run", "-s", "KEY", "--", "true", status=125)
        with Database(target.database) as database:
            database.db.execute(f"DROP {statement.split()[1]} evil")
    target.ok("run", "-s", "KEY", "--", "true")


def older_copy(vault, tmp_path):
    """The vault's files as they are now, taken aside."""
    with Database(vault.database):
        pass
    shutil.copy(vault.database, tmp_path / "older.db")

    def put_back():
        for name in ("vault.db-wal", "vault.db-shm"):
            (vault.dir / name).unlink(missing_ok=True)
        shutil.copy(tmp_path / "older.db", vault.database)
        vault.database.chmod(0o600)
    return put_back


def changes(vault):
    yield "values", lambda: [vault.set("KEY", value, "--force") for value in (OTHER, b"third-value-9dHs4")]
    yield "removed", lambda: [vault.ok("rm", "OTHER", "--yes"), vault.ok("rm", "team/deploy-key", "--yes")]
    yield "renamed", lambda: [vault.ok("rename", "OTHER", "ONCE_MORE"), vault.ok("tag", "ONCE_MORE", "--add", "x")]
    yield "run", lambda: [vault.ok("run", "-s", "KEY", "--", "true") for _ in range(2)]
    yield "wrong answers", lambda: [vault.run("verify", "KEY", input=b"wrong") for _ in range(3)]


@pytest.mark.parametrize("what", ["values", "removed", "renamed", "run", "wrong answers"])
def test_an_older_vault_put_back_whole(target, tmp_path, what):
    """Beside the newer log: a revoked value would live again, a removed one come back."""
    put_back = older_copy(target, tmp_path)
    dict(changes(target))[what]()
    put_back()
    result = target.run("run", "-s", "KEY", "--", "sh", "-c", "echo started", status=125)
    assert result.out == b"" and "older" in result.talk
    assert "older" in target.run("audit", "verify", status=6).talk
    target.run("set", "KEY", "--stdin", "--force", input=OTHER, status=6)
    target.run("verify", "KEY", "--raw", input=NEW, status=6)


def test_older_by_a_single_change(target, tmp_path):
    """The limit that the claim names: what a crash between log and vault leaves looks the same. It shows in the log."""
    put_back = older_copy(target, tmp_path)
    target.set("KEY", OTHER, "--force")
    put_back()
    assert target.ok("audit", "verify", "--json").json()["unanchored"] == 1
    last = target.records()[-1]
    assert (last["kind"], last["secret"]) == ("secret.set", "KEY")
    assert target.is_value("KEY", NEW)


def in_another_boot(vault, known):
    """The log as if what is behind its first `known` records had been written before the machine was started anew."""
    lines = lines_of(vault)
    for i in range(known, len(lines)):
        record = json.loads(lines[i])
        boot = {"boot": "0" * 8 + record["boot"][8:]} if "boot" in record else {}
        lines[i] = forged(lines[i], prev=json.loads(lines[i - 1])["hash"], **boot)
    vault.log.write_bytes(b"".join(lines))


def test_states_that_a_power_cut_took(target, tmp_path):
    """Runs are not waited for in the vault: behind a power cut it may stand where they had not been, beside the whole log."""
    put_back, known = older_copy(target, tmp_path), len(lines_of(target))
    for _ in range(2):
        target.ok("run", "-s", "KEY", "--", "true")
    put_back()
    in_another_boot(target, known)
    assert target.ok("audit", "verify", "--json").json()["unanchored"] == 4
    target.ok("run", "-s", "KEY", "--", "true")
    assert target.ok("audit", "verify", "--json").json()["unanchored"] == 0


def test_no_power_cut_takes_changes(target, tmp_path):
    """They are on disk, and with them all that came before."""
    put_back, known = older_copy(target, tmp_path), len(lines_of(target))
    target.ok("run", "-s", "KEY", "--", "true")
    target.set("KEY", OTHER, "--force")
    target.ok("run", "-s", "KEY", "--", "true")
    put_back()
    in_another_boot(target, known)
    assert "older" in target.run("audit", "verify", status=6).talk


def test_going_on_from_an_older_vault_is_recorded(target, tmp_path):
    """Only with the passphrase, and for all to see."""
    put_back = older_copy(target, tmp_path)
    for value in (OTHER, b"third-value-9dHs4"):
        target.set("KEY", value, "--force")
    put_back()
    target.write_passphrase("wrong")
    target.run("audit", "accept", "--yes", status=5)
    target.write_passphrase(PASSPHRASE)
    target.ok("audit", "accept", "--yes")
    assert target.records()[-1]["kind"] == "audit.accept"
    target.ok("run", "-s", "KEY", "--", "true")


def test_nothing_is_repaired_in_silence(target):
    """What was refused is refused again, and no byte of it has changed."""
    with Database(target.database) as database:
        database.delete(SECRET, b"OTHER")
    before = target.database.read_bytes()
    for _ in range(2):
        target.run("run", "-s", "KEY", "--", "true")
        target.run("audit", "verify", status=6)
        target.run("set", "OTHER", "--stdin", input=OTHER, status=6)
        target.run("verify", "KEY", "--raw", input=NEW, status=6)
    assert target.database.read_bytes() == before


def test_deposits_are_outside_and_stay_there(target):
    """Anybody may delete one; none of it becomes a value."""
    target.set("WAITING", OTHER, "--locked")
    with Database(target.database) as database:
        body = database.body(DEPOSIT, b"WAITING")
        database.insert(DEPOSIT, b"KEY", body)
    result = target.run("confirm", "KEY", status=6)
    assert_nowhere(VALUES, result.err)
    assert target.is_value("KEY", NEW)

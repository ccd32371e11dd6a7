"""C2: without the passphrase the vault's file gives names, metadata and ciphertext, and no value."""

import resource
import struct

import pytest

from attack_support import SLOT, Database, Sieve, assert_sealed_tree
from backoff_support import take
from envseal_support import PASSPHRASE, SECRETS, copy_vault

VALUES = [*SECRETS.values(), b"Wm4!kTz8Qc2^rNp6Yb0+", b"Lf7@sHv1Xj5$dGe9Ua3="]


@pytest.fixture(scope="module")
def filled(tmp_path_factory, original):
    vault = copy_vault(original, tmp_path_factory.mktemp("filled"))
    vault.set("WAITING", VALUES[-2], "--locked")
    vault.set("API_TOKEN", VALUES[-1], "--force", "--tag", "tagged", "--note", "noted")
    vault.ok("rm", "DATABASE_URL", "--yes")
    return vault


def test_no_value_is_in_any_file(filled):
    """Neither the present values, nor the older one, nor that of a secret that was removed, nor the passphrase."""
    sieve = Sieve(VALUES)
    assert assert_sealed_tree(sieve, filled.dir) >= 2
    assert_sealed_tree(Sieve([PASSPHRASE.encode()], part=12), filled.dir)


def test_equal_values_have_nothing_in_common(empty):
    """Or the file would tell which secrets are the same, and a deposit would be an oracle for guesses."""
    value = VALUES[0] * 40
    empty.set("ONE", value)
    empty.set("TWO", value)
    empty.set("THREE", value, "--locked")
    with Database(empty.database) as database:
        bodies = [body for kind in (4, 7) for _, body in database.rows(kind)]
    assert len(bodies) == 3
    tails = [body[-len(value):] for body in bodies]
    for left in range(3):
        for right in range(left):
            assert sum(a == b for a, b in zip(tails[left], tails[right])) < len(value) // 32


WRONG = {"empty line": "", "one letter less": PASSPHRASE[:-1], "one letter more": PASSPHRASE + "x", "other case": PASSPHRASE.upper(),
         "blank behind": PASSPHRASE + " ", "NUL behind": PASSPHRASE + "\0", "a NUL inside": PASSPHRASE.replace(" ", "\0", 1),
         "very long": "x" * 1000, "bytes": "\udcff\udcfe"}


@pytest.mark.parametrize("passphrase", WRONG.values(), ids=WRONG)
def test_a_wrong_passphrase_opens_nothing(filled, passphrase):
    filled.passphrase_file.write_bytes(passphrase.encode("utf-8", "surrogateescape") + b"\n")
    try:
        status = 2 if passphrase == "" else 5
        for words in (["verify", "API_TOKEN"], ["rename", "API_TOKEN", "OTHER"], ["audit", "verify"]):
            result = filled.run(*words, input=VALUES[-1], status=status)
            assert result.out == b""
        take(filled)
        result = filled.run("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started", status=125)
        assert result.out == b""
    finally:
        take(filled)
        filled.write_passphrase(PASSPHRASE)
    assert "API_TOKEN" in filled.names()


def test_a_wrong_passphrase_is_recorded(vault):
    vault.write_passphrase("a wrong guess")
    for _ in range(3):
        vault.run("verify", "API_TOKEN", status=5)
    assert [record["kind"] for record in vault.records()[-3:]] == ["unlock.failed"] * 3


def slot_of(vault):
    with Database(vault.database) as database:
        return database.rows(SLOT)[0]


def limit_memory():
    """A wish for 2^40 bytes that were not refused before it is tried would end in another error."""
    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("passes, memory", [
    (1, 1 << 40), (1 << 63, 64 << 20), (17, 64 << 20), (1, (1 << 30) + 1024), (1, 1 << 30 << 33), (0, 64 << 20), (1, 0), (1, 8192),
    ((1 << 64) - 1, (1 << 64) - 1), (1, (64 << 20) - 1024), (1, (64 << 20) + 1), (1, 1 << 63)])
def test_hostile_parameters_of_a_slot(vault, passes, memory):
    """Neither exhaust the machine nor make guessing cheap."""
    key, body = slot_of(vault)
    assert body[:2] == b"\1\1" and len(body) == 106
    with Database(vault.database) as database:
        database.put(SLOT, key, body[:2] + struct.pack("<QQ", passes, memory) + body[18:])
    result = vault.run("verify", "API_TOKEN", input=VALUES[0], status=6, preexec_fn=limit_memory)
    assert "key slot" in result.talk and result.out == b""
    assert vault.run("run", "-s", "API_TOKEN", "--", "true", status=125, preexec_fn=limit_memory).out == b""


@pytest.mark.parametrize("length", [0, 1, 2, 17, 50, 105, 107, 4096, 5000])
def test_a_slot_of_another_length(vault, length):
    key, body = slot_of(vault)
    with Database(vault.database) as database:
        database.put(SLOT, key, (body + bytes(5000))[:length])
    vault.run("verify", "API_TOKEN", input=VALUES[0], status=6)


def test_weaker_parameters_cannot_be_slipped_in(no_vault):
    """Whoever makes the stored cost cheaper learns nothing: the key it gives is another one."""
    no_vault.ok("init", "--pwhash", "moderate")
    key, body = slot_of(no_vault)
    with Database(no_vault.database) as database:
        database.put(SLOT, key, body[:2] + struct.pack("<QQ", 1, 64 << 20) + body[18:])
    no_vault.run("set", "A_NAME", "--generate", "20", status=5)


def test_storing_while_locked_reads_nothing(vault):
    """With the right of `set --locked` alone: the deposit is there, and no command gives it or anything else back."""
    vault.set("NEW", VALUES[-1], "--locked", passphrase=False)
    for words in (["run", "-s", "NEW", "--", "cat"], ["pipe", "NEW", "--", "cat"], ["inject", "-s", "API_TOKEN", "--", "env"]):
        result = vault.run(*words, passphrase=False, status=125)
        assert result.out == b""
    for words in (["get", "NEW"], ["verify", "API_TOKEN"]):
        result = vault.run(*words, passphrase=False, input=VALUES[0], status=4)
        assert result.out == b""


def test_the_passphrase_is_no_argument_and_no_variable(vault):
    env = {name: PASSPHRASE for name in ("ENVSEAL_PASSPHRASE", "PASSPHRASE", "ENVSEAL_PASSWORD", "ENVSEAL_KEY")}
    vault.run("verify", "API_TOKEN", passphrase=False, env=env, status=4)
    for option in ("--passphrase", "--password", "-P"):
        vault.run("verify", "API_TOKEN", option, PASSPHRASE, passphrase=False, status=2)

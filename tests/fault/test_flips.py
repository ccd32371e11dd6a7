"""Single bits flipped and ends cut off in the real files, through the real program: the same data or a defined error."""

import signal

import pytest

from envseal_support import SECRETS, assert_nowhere, seeded

FLIPS = 200
STEP = 64
TOKEN = SECRETS["API_TOKEN"]


def damaged_database(vault, whole, change):
    """Puts a changed copy of the database there; what an earlier look left beside it goes."""
    for path in vault.dir.glob("vault.db-*"):
        path.unlink()
    vault.database.write_bytes(change(whole))


def flip(bit):
    def change(whole):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        return bytes(data)
    return change


def check_answer(result, allowed):
    assert result.status >= 0, f"ended by {signal.Signals(-result.status).name}: {result}"
    assert result.status in allowed, result
    assert (result.status == 0) == (b"envseal: " not in result.err), result
    assert_nowhere(SECRETS.values(), result.out + result.err)


def check_vault(vault, with_passphrase):
    listed = vault.run("list", "--json", passphrase=False)
    check_answer(listed, (0, 3, 4, 6))
    if not with_passphrase:
        return
    # 1 without an answer: a name that is not there any more. An answer of "no" would be a wrong value.
    result = vault.run("verify", "API_TOKEN", "--raw", input=TOKEN)
    check_answer(result, (0, 1, 3, 4, 5, 6))
    assert result.out == (b"yes\n" if result.status == 0 else b""), result
    if result.status == 1:
        assert "there is no secret" in result.talk, result


def test_flipped_bits_of_the_vault(vault):
    whole, log = vault.database.read_bytes(), vault.log.read_bytes()
    pick = seeded("flips of vault.db")
    for bit in pick.sample(range(8 * len(whole)), FLIPS):
        vault.log.write_bytes(log)
        damaged_database(vault, whole, flip(bit))
        check_vault(vault, with_passphrase=True)
    vault.log.write_bytes(log)
    damaged_database(vault, whole, bytes)
    assert vault.check()["ok"] and vault.is_value("API_TOKEN", TOKEN)


def test_a_flipped_value_never_reaches_a_program(vault):
    whole, log = vault.database.read_bytes(), vault.log.read_bytes()
    pick = seeded("flips before a run")
    for bit in pick.sample(range(8 * len(whole)), FLIPS // 4):
        vault.log.write_bytes(log)
        damaged_database(vault, whole, flip(bit))
        result = vault.run("inject", "-s", "API_TOKEN=V:file", "--", "/bin/sh", "-c", 'cat "$V"')
        assert (result.status, result.out) in ((0, TOKEN), (125, b"")), result


def test_a_cut_vault(vault):
    whole, log = vault.database.read_bytes(), vault.log.read_bytes()
    sizes = sorted({*range(0, len(whole), 4096), *seeded("cuts of vault.db").sample(range(0, len(whole), STEP), 100)})
    for turn, size in enumerate(sizes):
        vault.log.write_bytes(log)
        damaged_database(vault, whole, lambda data, size=size: data[:size])
        check_vault(vault, with_passphrase=turn % 4 == 0)
        # A file that was cut is never taken for a fresh start.
        result = vault.run("init", "--pwhash", "interactive")
        assert result.status in (1, 4, 6), result


def test_flipped_bits_of_the_log(vault):
    whole = vault.log.read_bytes()
    pick = seeded("flips of audit.jsonl")
    for turn, bit in enumerate(pick.sample(range(8 * len(whole)), FLIPS)):
        vault.log.write_bytes(flip(bit)(whole))
        result = vault.run("audit", "verify", "--chain-only", passphrase=False)
        check_answer(result, (6,))
        if turn % 8 == 0:
            check_answer(vault.run("audit", "verify"), (6,))
        check_answer(vault.run("audit", "show", "--json"), (0, 6))
    vault.log.write_bytes(whole)
    assert vault.check()["ok"]


def test_a_cut_log(vault):
    whole = vault.log.read_bytes()
    ends = {at + 1 for at, byte in enumerate(whole) if byte == ord("\n")}
    for turn, size in enumerate([*range(0, len(whole), STEP), len(whole) - 1, *sorted(ends - {len(whole)})]):
        vault.log.write_bytes(whole[:size])
        chain = vault.run("audit", "verify", "--chain-only", passphrase=False)
        # Without the vault's anchor a log that ends behind a whole record looks complete.
        check_answer(chain, (0, 6))
        if turn % 4 == 0 or size in ends:
            check_answer(vault.run("audit", "verify"), (6,))
            result = vault.run("run", "-s", "API_TOKEN", "--", "/bin/echo", "started", status=125)
            assert result.out == b"" and "audit verify" in result.talk
            vault.log.write_bytes(whole[:size])


@pytest.mark.parametrize("name", ["vault.db", "audit.jsonl"])
@pytest.mark.parametrize("content",
    [b"", b"\0" * 4096, b"\xff" * 70000, b"SQLite format 3\0" + bytes(5000), b"{}\n" * 50, b"\n"],
                         ids=["empty", "zeros", "ones", "header", "objects", "newline"])
def test_something_else_in_its_place(vault, name, content):
    (vault.dir / name).write_bytes(content)
    for command in (["list"], ["set", "NEW", "--generate", "20"], ["set", "NEW", "--generate", "20", "--locked"],
                    ["audit", "verify"], ["audit", "show"], ["doctor"], ["show", "API_TOKEN"]):
        check_answer_loose(vault.run(*command))
    assert vault.run("run", "-s", "API_TOKEN", "--", "/bin/echo", "started").out == b""


def check_answer_loose(result):
    assert result.status in (0, 1, 3, 4, 6), result
    assert_nowhere(SECRETS.values(), result.out + result.err)

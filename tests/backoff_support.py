"""The count of wrong passphrases as it lies in the vault's file (docs/format-vault.md, "Failures"), read and written from
outside: tests that had to wait for a clock would be slow, and would fail on a busy machine."""

import sqlite3
import struct
import time

from envseal_support import PASSPHRASE

FAILURES = 8
BODY = struct.Struct("<BIQQ16sQ")
WRONG = "a wrong guess"


def _edit(vault, statement, *values):
    db = sqlite3.connect(vault.database, isolation_level=None)
    try:
        return db.execute(statement, values).fetchone()
    finally:
        db.close()


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return bytes.fromhex(file.read().strip().replace("-", ""))


def uptime_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def failures(vault):
    """How many the vault counts."""
    row = _edit(vault, "SELECT body FROM row WHERE kind = ?", FAILURES)
    return BODY.unpack(row[0])[1] if row else 0


def put(vault, body):
    _edit(vault, "REPLACE INTO row VALUES (?, CAST('failures' AS BLOB), NULL, NULL, ?)", FAILURES, body)


def put_failures(vault, count, ago=0, by_date=None, by_boot=None, boot=None):
    """`ago` seconds since the last, on both clocks or on one of them."""
    now = int(time.time())
    last = now - (ago if by_date is None else by_date)
    boottime = uptime_ms() - 1000 * (ago if by_boot is None else by_boot)
    put(vault, BODY.pack(1, count, min(last, now) - 60, last, boot or boot_id(), max(boottime, 0)))


def take(vault):
    _edit(vault, "DELETE FROM row WHERE kind = ?", FAILURES)


def guess(vault, passphrase=WRONG):
    """One try, as somebody without a terminal makes it."""
    vault.write_passphrase(passphrase)
    try:
        return vault.run("audit", "verify")
    finally:
        vault.write_passphrase(PASSPHRASE)


def told(vault):
    return vault.records(kind="unlock.told")

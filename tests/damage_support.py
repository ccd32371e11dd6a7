"""What is asked of a vault whose files were damaged: a defined error or the same data, and never a wrong value."""

import hashlib
import shutil

from envseal_support import PASSPHRASE, SECRETS, Vault, assert_nowhere

FLIPS = 150
STEP = 64
# A passphrase's hash costs most of a full verification, so not every damage gets one; every damage gets a run.
VERIFY_EVERY = 5

PRINT_HASH = 'printf %s "$VALUE" | sha256sum'
HASH = hashlib.sha256(SECRETS["API_TOKEN"]).hexdigest().encode() + b"  -\n"


def no_secret_in(result):
    assert_nowhere([*SECRETS.values(), PASSPHRASE.encode()], result.out + result.err)


def assert_defined(result, statuses):
    assert result.status in statuses, result
    assert result.status == 0 or result.talk.startswith("envseal: "), result
    no_secret_in(result)


def ask(vault, verify=True):
    """Asks a vault that may be damaged. -> whether a run went through (then with the right value)."""
    assert_defined(vault.run("list", "--json"), (0, 3, 4, 6))
    assert_defined(vault.run("audit", "verify", "--chain-only"), (0, 3, 4, 6))
    if verify:
        assert_defined(vault.run("audit", "verify"), (0, 3, 4, 5, 6))
    run = vault.run("run", "-s", "API_TOKEN=VALUE", "--", "/bin/sh", "-c", PRINT_HASH)
    assert_defined(run, (0, 125))
    assert run.out == (HASH if run.status == 0 else b""), run
    return run.status == 0


class Patient:
    """Copies of one vault, each with one of its files replaced."""

    def __init__(self, original, base):
        self.original, self.vault = original, Vault(base)
        self.asked = 0

    def restore(self):
        shutil.rmtree(self.vault.dir, ignore_errors=True)
        shutil.copytree(self.original.dir, self.vault.dir)

    def content(self, name):
        return (self.original.dir / name).read_bytes()

    def ask_with(self, name, content):
        self.restore()
        (self.vault.dir / name).write_bytes(content)
        self.asked += 1
        return ask(self.vault, verify=self.asked % VERIFY_EVERY == 0)


def flip_bits(patient, name, rng, count=FLIPS):
    """-> how many of the flips were refused"""
    content, refused = patient.content(name), 0
    for bit in rng.sample(range(len(content) * 8), count):
        print(f"{name}: byte {bit // 8}, bit {bit % 8}")
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        refused += not patient.ask_with(name, bytes(flipped))
    return refused


def cut_everywhere(patient, name):
    """-> lengths at which a run still went through"""
    content, passed = patient.content(name), []
    for length in range(0, len(content), STEP):
        print(f"{name}: cut to {length} of {len(content)} bytes")
        if patient.ask_with(name, content[:length]):
            passed.append(length)
    return passed

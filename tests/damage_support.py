"""What is asked of a vault whose files were damaged: a defined error or the same data, and never a wrong value."""

import hashlib
import shutil

from envseal_support import PASSPHRASE, SECRETS, Vault, assert_nowhere

FLIPS = 150
STEP = 64

PRINT_HASH = 'printf %s "$VALUE" | sha256sum'
HASH = hashlib.sha256(SECRETS["API_TOKEN"]).hexdigest().encode() + b"  -\n"


def no_secret_in(result):
    assert_nowhere([*SECRETS.values(), PASSPHRASE.encode()], result.out + result.err)


def assert_defined(result, statuses):
    assert result.status in statuses, result
    assert result.status == 0 or result.talk.startswith("envseal: "), result
    no_secret_in(result)


def run_prints_hash(vault):
    """-> whether a run went through; then the program had the right value."""
    run = vault.run("run", "-s", "API_TOKEN=VALUE", "--", "/bin/sh", "-c", PRINT_HASH)
    assert_defined(run, (0, 125))
    assert run.out == (HASH if run.status == 0 else b""), run
    return run.status == 0


def verifies(vault):
    """Whether log and vault pass; the chain alone first, which costs no passphrase's hash."""
    chain = vault.run("audit", "verify", "--chain-only")
    assert_defined(chain, (0, 1, 3, 4, 6))
    if chain.status != 0:
        return False
    whole = vault.run("audit", "verify")
    assert_defined(whole, (0, 3, 4, 5, 6))
    return whole.status == 0


def ask(vault):
    """Asks everything of a vault that may be damaged. -> whether a run went through"""
    assert_defined(vault.run("list", "--json"), (0, 3, 4, 6))
    verifies(vault)
    return run_prints_hash(vault)


class Patient:
    """Copies of one vault, each with one of its files replaced."""

    def __init__(self, original, base):
        self.original, self.vault = original, Vault(base)

    def restore(self):
        shutil.rmtree(self.vault.dir, ignore_errors=True)
        shutil.copytree(self.original.dir, self.vault.dir)

    def content(self, name):
        return (self.original.dir / name).read_bytes()

    def replace(self, name, content):
        self.restore()
        (self.vault.dir / name).write_bytes(content)

    def flips(self, name, rng, count):
        """Puts copies in place that differ from the original in one bit."""
        content = self.content(name)
        for bit in rng.sample(range(len(content) * 8), count):
            print(f"{name}: byte {bit // 8}, bit {bit % 8}")
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            self.replace(name, bytes(flipped))
            yield bit

    def cuts(self, name):
        """Puts copies in place of which the end is missing."""
        content = self.content(name)
        for length in range(0, len(content), STEP):
            print(f"{name}: cut to {length} of {len(content)} bytes")
            self.replace(name, content[:length])
            yield length

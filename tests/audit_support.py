"""What tests of the audit log share: looking at it, and doing it harm."""

import hashlib
import json

from envseal_support import SECRETS, assert_nowhere


def kinds(vault, *options):
    return [record["kind"] for record in vault.ok("audit", "show", "--json", *options).json()["records"]]


def lines_of(vault):
    return vault.log.read_bytes().splitlines(keepends=True)


def refused(vault, *says, options=("--chain-only",)):
    result = vault.run("audit", "verify", *options, passphrase="--chain-only" not in options, status=6)
    assert result.out == b"", result
    for part in says:
        assert part in result.talk, result
    assert_nowhere(SECRETS.values(), result.err)


def forged(line, **members):
    """The record changed, and hashed anew: what somebody can do who may write the file."""
    record = json.loads(line)
    record |= members
    record.pop("hash")
    text = json.dumps(record, separators=(",", ":"))[:-1]
    digest = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
    return f'{text},"hash":"{digest}"}}\n'.encode()

#!/usr/bin/python3
"""Reads a vault independently of the program, from docs/format-vault.md alone: unlocks it, verifies all of it, opens everything.

    read_vault.py VAULT.DB PASSPHRASE        prints what it holds as JSON (values in hex); no process may have it open

Exit status as the program's: 0; 5 wrong passphrase; 6 damaged, with the reason on stderr.
"""
import hashlib
import json
import re
import sqlite3
import struct
import sys

from nacl import bindings, exceptions

SCHEMA = {
    ("table", "row", "row",
     "CREATE TABLE row(kind INTEGER NOT NULL, key BLOB NOT NULL, bucket INTEGER, digest BLOB, body BLOB NOT NULL, "
     "PRIMARY KEY(kind, key)) STRICT, WITHOUT ROWID"),
    ("table", "node", "node",
     "CREATE TABLE node(level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, "
     "PRIMARY KEY(level, place)) STRICT, WITHOUT ROWID"),
    ("index", "row_bucket", "row",
     "CREATE INDEX row_bucket ON row(bucket, kind, key, digest) WHERE bucket IS NOT NULL"),
}
HEADER, SLOT, SECRET, VERSION, SETTING, STATE, DEPOSIT, FAILURES = range(1, 9)
ZERO = bytes(32)
NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127})*")


class Damaged(Exception):
    pass


class WrongPassphrase(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Damaged(what)


def h(data, key=b""):
    return hashlib.blake2b(data, digest_size=32, key=key).digest()


def u32(value):
    return struct.pack("<I", value)


def string(data):
    return u32(len(data)) + data


class Reader:
    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what
        need(self.u8() == 1, f"{what}: format")

    def bytes(self, count):
        need(self.at + count <= len(self.data), f"{self.what}: too short")
        self.at += count
        return self.data[self.at - count:self.at]

    def u8(self):
        return self.bytes(1)[0]

    def u32(self):
        return struct.unpack("<I", self.bytes(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.bytes(8))[0]

    def time(self):
        value = self.u64()
        need(value < 1 << 63, f"{self.what}: time")
        return value

    def string(self, limit):
        count = self.u32()
        need(count <= limit, f"{self.what}: string of {count}")
        return self.bytes(count)

    def text(self, limit):
        value = self.string(limit)
        need(b"\0" not in value, f"{self.what}: NUL in a text")
        return value.decode("utf-8", "surrogateescape")

    def labels(self):
        note, count = self.text(1024), self.u32()
        need(count <= 32, f"{self.what}: tags")
        tags = [self.text(64) for _ in range(count)]
        need(all(tags), f"{self.what}: empty tag")
        return note, tags

    def sealed(self):
        boxed = self.string(80)
        sealed = boxed, self.bytes(24), self.string((1 << 20) + 16)
        need(len(boxed) == 80 and len(sealed[2]) > 16, f"{self.what}: sealed value")
        return sealed

    def end(self):
        need(self.at == len(self.data), f"{self.what}: bytes left over")


def aead_open(key, nonce, sealed, associated, what):
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, key)
    except exceptions.CryptoError:
        raise Damaged(f"{what}: does not open") from None


def rows_read(path):
    """All rows by kind and key, all nodes, and what the columns beside the bodies say."""
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    db.text_factory = bytes
    try:
        need(db.execute("PRAGMA application_id").fetchone()[0] == 0x45535631, "application_id")
        need(db.execute("PRAGMA user_version").fetchone()[0] == 1, "user_version")
        found = [tuple((x or b"").decode() for x in row)
                 for row in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")]
        need(len(found) == 3 and set(found) == SCHEMA, "schema")
        need(db.execute("PRAGMA integrity_check(1)").fetchone()[0] == b"ok", "integrity")
        rows = {(kind, key): (bucket, digest, body)
                for kind, key, bucket, digest, body in db.execute("SELECT kind, key, bucket, digest, body FROM row")}
        nodes = {(level, place): value for level, place, value in db.execute("SELECT level, place, hash FROM node")}
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise Damaged(f"SQLite: {error}") from None
    finally:
        db.close()
    return rows, nodes


def tree_verify(rows, nodes, root):
    buckets = {}
    for (kind, key), (bucket, digest, body) in sorted(rows.items()):
        need(1 <= kind <= 8 and 1 <= len(key) <= 512, f"row of kind {kind}")
        if kind in (STATE, DEPOSIT, FAILURES):
            need(bucket is None, f"row of kind {kind} in the tree")
            continue
        head = bytes([kind]) + string(key)
        where = 0 if kind in (HEADER, SLOT) else int.from_bytes(h(string(b"envseal bucket 1") + head)[:2], "big")
        own = h(string(b"envseal row 1") + head + string(body))
        need((bucket, digest) == (where, own), f"row {kind} {key!r}: bucket or digest")
        buckets.setdefault(where, []).append(head + own)
    level = {where: h(string(b"envseal rows 1") + u32(where) + b"".join(parts)) for where, parts in buckets.items()}
    for depth in (3, 2, 1, 0):
        stored = {place: value for (at, place), value in nodes.items() if at == depth + 1}
        need(stored == level, f"nodes of level {depth + 1}")
        above = {}
        for parent in {place // 16 for place in level}:
            children = b"".join(level.get(16 * parent + i, ZERO) for i in range(16))
            above[parent] = h(string(b"envseal node 1") + bytes([depth]) + u32(parent) + children)
        level = above
    need(level.get(0, ZERO) == root, "root of the tree")
    need(all(1 <= at <= 4 for at, _ in nodes), "node of an unknown level")


def slot_open(blob, passphrase, vault_id):
    slot = Reader(blob, "key slot")
    need(slot.u8() == 1, "key slot: provider")
    passes, memory, salt = slot.u64(), slot.u64(), slot.bytes(16)
    nonce, sealed = slot.bytes(24), slot.bytes(48)
    slot.end()
    need(1 <= passes <= 16 and 64 << 20 <= memory <= 1 << 30 and memory % 1024 == 0, "key slot: parameters")
    key = bindings.crypto_pwhash_alg(32, passphrase, salt, passes, memory, bindings.crypto_pwhash_ALG_ARGON2ID13)
    try:
        return aead_open(key, nonce, sealed, blob[:34] + vault_id, "key slot")
    except Damaged:
        raise WrongPassphrase("no key slot opens") from None


def subkey(root, number):
    return hashlib.blake2b(digest_size=32, key=root, salt=struct.pack("<QQ", number, 0), person=b"envseal1".ljust(16, b"\0")).digest()


class Vault:
    def __init__(self, path, passphrase):
        self.rows, nodes = rows_read(path)
        header = Reader(self.body(HEADER, b"header"), "header")
        self.id, self.public, self.created = header.bytes(16), header.bytes(32), header.time()
        header.end()
        state = self.body(STATE, b"state")
        self.state_parse(state)
        root = slot_open(self.body(SLOT, bytes(4)), passphrase, self.id)
        public, self.secret = bindings.crypto_box_seed_keypair(subkey(root, 1))
        need(public == self.public, "the public key is not the one of the root key")
        mac = h(string(b"envseal state 1") + string(state[:105]), key=subkey(root, 2))
        need(mac == state[105:], "MAC of the state")
        self.settings_key = subkey(root, 3)
        tree_verify(self.rows, nodes, self.root)

    def body(self, kind, key):
        need((kind, key) in self.rows, f"row {kind} {key!r} is missing")
        return self.rows[kind, key][2]

    def of_kind(self, kind):
        return [(key, body) for (k, key), (_, _, body) in sorted(self.rows.items()) if k == kind]

    def state_parse(self, body):
        state = Reader(body, "state")
        need(state.bytes(16) == self.id, "state of another vault")
        self.generation, self.root = state.u64(), state.bytes(32)
        self.anchor = {"count": state.u64(), "hash": state.bytes(32).hex(), "file_offset": state.u64()}
        state.bytes(32)
        state.end()

    def value_open(self, sealed, ident, version, name, context, what):
        boxed, nonce, text = sealed
        associated = string(b"envseal value 1") + self.id + ident + u32(version) + string(name) + string(context)
        try:
            key = bindings.crypto_box_seal_open(boxed, self.public, self.secret)
        except exceptions.CryptoError:
            raise Damaged(f"{what}: data key does not open") from None
        return aead_open(key, nonce, text, associated, what)

    def version_read(self, ident, name, number):
        what = f"{name.decode()}, version {number}"
        record = Reader(self.body(VERSION, ident + struct.pack(">I", number)), what)
        flags, stored, size, sealed = record.u8(), record.time(), record.u64(), record.sealed()
        record.end()
        value = self.value_open(sealed, ident, number, name, b"", what)
        need(flags <= 1 and len(value) == size, f"{what}: flags or size")
        return {"version": number, "weak": bool(flags), "stored": stored, "value": value.hex()}

    def secret_read(self, name, body):
        what = name.decode()
        need(len(name) <= 255 and NAME.fullmatch(name), f"name {name!r}")
        record = Reader(body, what)
        flags, ident, version, count = record.u8(), record.bytes(16), record.u32(), record.u32()
        created, changed, expires, size = record.time(), record.time(), record.time(), record.u64()
        note, tags = record.labels()
        record.end()
        need(flags <= 1 and 1 <= count <= version, f"{what}: flags or versions")
        versions = [self.version_read(ident, name, version - count + 1 + i) for i in range(count)]
        need(len(versions[-1]["value"]) == 2 * size, f"{what}: size")
        return {"weak": bool(flags), "created": created, "changed": changed, "expires": expires, "note": note, "tags": tags,
                "versions": versions}

    def deposit_read(self, name, body):
        what = f"deposit {name.decode()}"
        need(len(name) <= 255 and NAME.fullmatch(name), f"name {name!r}")
        record = Reader(body, what)
        flags, ident, since, expires, size = record.u8(), record.bytes(16), record.time(), record.time(), record.u64()
        note, tags = record.labels()
        context = body[:record.at]
        sealed = record.sealed()
        record.end()
        value = self.value_open(sealed, ident, 0, name, context, what)
        need(flags <= 15 and len(value) == size, f"{what}: flags or size")
        return {"weak": bool(flags & 1), "since": since, "expires": expires, "note": note, "tags": tags, "value": value.hex()}

    def setting_read(self, name, body):
        record = Reader(body, f"setting {name.decode()}")
        nonce, sealed = record.bytes(24), record.string(65536 + 16)
        record.end()
        return aead_open(self.settings_key, nonce, sealed, string(b"envseal setting 1") + self.id + string(name), record.what)

    def failures_read(self):
        if (FAILURES, b"failures") not in self.rows:
            return None
        record = Reader(self.body(FAILURES, b"failures"), "failures")
        count, first, last, boot, boottime = record.u32(), record.time(), record.time(), record.bytes(16), record.time()
        record.end()
        need(count > 0, "failures: none")
        return {"count": count, "first": first, "last": last, "boot": boot.hex(), "boottime_ms": boottime}

    def read(self):
        for key, _ in self.of_kind(SLOT):
            need(len(key) == 4 and int.from_bytes(key, "big") < 16, "key of a slot")
        secrets = {name.decode(): self.secret_read(name, body) for name, body in self.of_kind(SECRET)}
        total = sum(len(secret["versions"]) for secret in secrets.values())
        need(total == len(self.of_kind(VERSION)), "versions of no secret")
        return {"format": 1, "id": self.id.hex(), "created": self.created, "generation": self.generation,
                "anchor": self.anchor, "secrets": secrets,
                "deposits": {name.decode(): self.deposit_read(name, body) for name, body in self.of_kind(DEPOSIT)},
                "failures": self.failures_read(),
                "settings": {name.decode(): self.setting_read(name, body).hex() for name, body in self.of_kind(SETTING)}}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        print(json.dumps(Vault(sys.argv[1], sys.argv[2].encode()).read(), indent=1, sort_keys=True))
    except WrongPassphrase as error:
        print(f"wrong passphrase: {error}", file=sys.stderr)
        sys.exit(5)
    except Damaged as error:
        print(f"damaged: {error}", file=sys.stderr)
        sys.exit(6)


if __name__ == "__main__":
    main()

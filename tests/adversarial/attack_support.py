"""What the attacks share: the forms a value may lie around in, and small ways of damaging a vault and its log."""

import base64
import hashlib
import json
import re
import sqlite3
import subprocess
import urllib.parse

PART_BYTES = 6


def forms(data):
    """The data in every usual encoding; of base64 only the characters that depend on nothing else."""
    found = [data, data[::-1], data.hex().encode(), data.hex().upper().encode(), data.decode("latin-1").encode("utf-16-le"),
             data.decode("latin-1").encode("utf-16-be"), "".join(f"%{byte:02X}" for byte in data).encode(),
             "".join(f"\\x{byte:02x}" for byte in data).encode(), "".join(f"\\{byte:03o}" for byte in data).encode(),
             " ".join(f"{byte:02x}" for byte in data).encode(), json.dumps(data.decode("latin-1"))[1:-1].encode(),
             urllib.parse.quote_from_bytes(data).encode(), base64.b32encode(data).rstrip(b"=")[:len(data) * 8 // 5],
             data.translate(ROT13), data.swapcase()]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            first, end = -(-8 * offset // 6), 8 * (offset + len(data)) // 6
            found.append(encode(bytes(offset) + data)[first:end])
    return list(dict.fromkeys(found))


ROT13 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", b"NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm")


class Sieve:
    """Looks for values, and for every part of PART_BYTES bytes of them, in every form."""

    def __init__(self, values, part=PART_BYTES):
        self.needles = set()
        for value in values:
            width = min(part, len(value))
            for at in range(len(value) - width + 1):
                self.needles.update(form for form in forms(value[at:at + width]) if len(form) >= width)
        self.pattern = re.compile(b"|".join(re.escape(needle) for needle in sorted(self.needles)))

    def find(self, data):
        """The parts that are in the data. They are bytes of test values, so a failing test may show them."""
        data = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
        return sorted(set(self.pattern.findall(data)))

    def assert_clean(self, data, where):
        found = self.find(data)
        assert not found, f"{where} holds {found[:5]}"


def assert_sealed_tree(sieve, *folders, without=()):
    """No file below the folders holds a part of a value, in its name or in its content."""
    seen = 0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in without:
                seen += 1
                sieve.assert_clean(path.read_bytes(), path)
                sieve.assert_clean(path.name, "a file's name")
    return seen


# ----------------------------------------------------------------------------------------------------------- the vault


HEADER, SLOT, SECRET, VERSION, SETTING, STATE, DEPOSIT, FAILURES = range(1, 9)


class Database:
    """vault.db, opened by somebody who has only the file."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("BEGIN IMMEDIATE")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.execute("COMMIT")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    def rows(self, kind):
        return self.db.execute("SELECT key, body FROM row WHERE kind = ? ORDER BY key", (kind,)).fetchall()

    def body(self, kind, key):
        return self.db.execute("SELECT body FROM row WHERE kind = ? AND key = ?", (kind, key)).fetchone()[0]

    def put(self, kind, key, body):
        """The body alone, and the columns beside it as a careful forger would write them."""
        done = self.db.execute("UPDATE row SET body = ? WHERE kind = ? AND key = ?", (body, kind, key))
        assert done.rowcount == 1
        if kind not in (STATE, DEPOSIT, FAILURES):
            self.db.execute("UPDATE row SET digest = ? WHERE kind = ? AND key = ?", (row_digest(kind, key, body), kind, key))
            self.rehash()

    def delete(self, kind, key):
        assert self.db.execute("DELETE FROM row WHERE kind = ? AND key = ?", (kind, key)).rowcount == 1
        self.rehash()

    def insert(self, kind, key, body):
        outside = kind in (STATE, DEPOSIT, FAILURES)
        self.db.execute("INSERT INTO row VALUES (?, ?, ?, ?, ?)", (
            kind, key, None if outside else row_bucket(kind, key), None if outside else row_digest(kind, key, body), body))
        self.rehash()

    def rehash(self):
        """The whole tree anew, as the format says; only the MAC over its root cannot be made without the key."""
        self.db.execute("DELETE FROM node")
        buckets = {}
        for kind, key, bucket, digest in self.db.execute(
                "SELECT kind, key, bucket, digest FROM row WHERE bucket IS NOT NULL ORDER BY bucket, kind, key"):
            buckets[bucket] = buckets.get(bucket, b"") + bytes([kind]) + string(key) + digest
        level = {bucket: h(string(b"envseal rows 1") + u32(bucket) + rows) for bucket, rows in buckets.items()}
        self.put_level(4, level)
        for number in (3, 2, 1, 0):
            parents = {place // 16 for place in level}
            level = {place: h(string(b"envseal node 1") + bytes([number]) + u32(place) + b"".join(
                level.get(16 * place + child, bytes(32)) for child in range(16))) for place in parents}
            if number > 0:
                self.put_level(number, level)
        return level[0]

    def put_level(self, number, level):
        self.db.executemany("INSERT INTO node VALUES (?, ?, ?)", [(number, place, digest) for place, digest in level.items()])


def h(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def u32(value):
    return value.to_bytes(4, "little")


def string(data):
    return u32(len(data)) + data


def row_digest(kind, key, body):
    return h(string(b"envseal row 1") + bytes([kind]) + string(key) + string(body))


def row_bucket(kind, key):
    if kind in (HEADER, SLOT):
        return 0
    return int.from_bytes(h(string(b"envseal bucket 1") + bytes([kind]) + string(key))[:2], "big")


# ------------------------------------------------------------------------------------------------------------- the log


def log_rehash(lines, first=1, previous="0" * 64):
    """The chain made anew over lines that were edited: what somebody without the key can do."""
    out = []
    for number, line in enumerate(lines, first):
        record = json.loads(line)
        record["seq"], record["prev"] = number, previous
        del record["hash"]
        body = json.dumps(record, separators=(",", ":"), ensure_ascii=True)[:-1]
        previous = h(body.encode()).hex()
        out.append(f'{body},"hash":"{previous}"}}')
    return out


def log_read(vault):
    return vault.log.read_text().splitlines()


def log_write(vault, lines):
    vault.log.write_text("".join(line + "\n" for line in lines))


def start(vault, *program, options=(), **more):
    """A run with API_TOKEN whose output comes here, and that goes on."""
    return vault.popen("run", *options, "-s", "API_TOKEN", "--", *program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

#!/usr/bin/python3
"""Writes tests/vectors/vault/*.txt: each is one defect of tests/golden/vault-1.db and what the program must say to it.

A file has one line each of `expect WORD STAGE` (WORD: the name of the error, or `ok`; STAGE: open, unlock or check, where the
program must notice), and `sql STATEMENT`, `poke OFFSET HEX` or `truncate BYTES`, to be done to a copy.
"""
import pathlib

OUT = pathlib.Path(__file__).resolve().parent / "vault"


def body(where, expression):
    return f"sql UPDATE row SET body = CAST({expression} AS BLOB) WHERE {where}"


def cut(where):
    return f"sql UPDATE row SET body = substr(body, 1, length(body) - 1) WHERE {where}"


def poke(where, at, value, length=1):
    return body(where, f"substr(body, 1, {at}) || {value} || substr(body, {at + length + 1})")


def secret(name):
    return f"kind = 3 AND key = CAST('{name}' AS BLOB)"


def version(name, number):
    ident = f"(SELECT substr(body, 3, 16) FROM row WHERE {secret(name)})"
    return f"kind = 4 AND key = CAST({ident} || x'{number:08x}' AS BLOB)"


def copy(to, source):
    return (f"sql UPDATE row SET (body, digest) = (SELECT body, digest FROM row WHERE {source}) WHERE {to}")


def failures(expression):
    return f"sql INSERT INTO row VALUES (8, CAST('failures' AS BLOB), NULL, NULL, CAST({expression} AS BLOB))"


DEPOSIT = "kind = 7 AND key = CAST('ci/deploy-key' AS BLOB)"
VECTORS = {
    "nothing": ("ok check", "sql SELECT 1"),
    "file-application-id": ("damaged open", "sql PRAGMA application_id = 1"),
    "file-newer": ("damaged open", "sql PRAGMA user_version = 2"),
    "file-extra-table": ("damaged open", "sql CREATE TABLE more(a)"),
    "file-extra-trigger": ("damaged open", "sql CREATE TRIGGER more AFTER INSERT ON row BEGIN DELETE FROM node; END"),
    "file-extra-view": ("damaged open", "sql CREATE VIEW more AS SELECT body FROM row"),
    "file-other-index": ("damaged open", "sql DROP INDEX row_bucket; CREATE INDEX row_bucket ON row(bucket)"),
    "file-no-index": ("damaged open", "sql DROP INDEX row_bucket"),
    "file-no-database": ("damaged open", "poke 0 41"),
    "file-empty": ("damaged open", "truncate 0"),
    "file-half": ("damaged open", "truncate 12288"),
    "file-one-page": ("damaged open", "truncate 4096"),
    "header-missing": ("damaged open", "sql DELETE FROM row WHERE kind = 1"),
    "header-format": ("damaged open", poke("kind = 1", 0, "x'02'")),
    "header-short": ("damaged open", cut("kind = 1")),
    "header-other-vault": ("damaged open", poke("kind = 1", 1, "x'00'")),
    "header-other-key": ("damaged unlock", poke("kind = 1", 17, "x'0900000000000000'", 8)),
    "header-other-time": ("damaged unlock", poke("kind = 1", 49, "x'0000'", 2)),
    "slot-missing": ("damaged unlock", "sql DELETE FROM row WHERE kind = 2"),
    "slot-format": ("damaged unlock", poke("kind = 2", 0, "x'02'")),
    "slot-provider": ("damaged unlock", poke("kind = 2", 1, "x'02'")),
    "slot-too-many-passes": ("damaged unlock", poke("kind = 2", 2, "x'11'")),
    "slot-too-little-memory": ("damaged unlock", poke("kind = 2", 10, "x'0000000300000000'", 8)),
    "slot-too-much-memory": ("damaged unlock", poke("kind = 2", 10, "x'0004004000000000'", 8)),
    "slot-short": ("damaged unlock", cut("kind = 2")),
    "slot-other-salt": ("wrong-passphrase unlock", poke("kind = 2", 18, "x'00000000'", 4)),
    "slot-other-sealed": ("wrong-passphrase unlock", poke("kind = 2", 100, "x'00000000'", 4)),
    "slot-added": ("damaged unlock", "sql INSERT INTO row SELECT 2, x'00000001', bucket, digest, body FROM row WHERE kind = 2"),
    "slot-number": ("damaged unlock", "sql INSERT INTO row SELECT 2, x'00000010', bucket, digest, body FROM row WHERE kind = 2"),
    "state-missing": ("damaged open", "sql DELETE FROM row WHERE kind = 6"),
    "state-format": ("damaged open", poke("kind = 6", 0, "x'02'")),
    "state-short": ("damaged open", cut("kind = 6")),
    "state-other-vault": ("damaged open", poke("kind = 6", 1, "x'00'")),
    "state-generation": ("damaged unlock", poke("kind = 6", 17, "x'02'")),
    "state-root": ("damaged unlock", poke("kind = 6", 25, "x'00000000'", 4)),
    "state-anchor": ("damaged unlock", poke("kind = 6", 57, "x'29'")),
    "state-mac": ("damaged unlock", poke("kind = 6", 133, "x'00000000'", 4)),
    "secret-missing": ("damaged check", f"sql DELETE FROM row WHERE {secret('binary')}"),
    "secret-format": ("damaged check", poke(secret("binary"), 0, "x'02'")),
    "secret-flags": ("damaged check", poke(secret("binary"), 1, "x'02'")),
    "secret-long": ("damaged check", body(secret("binary"), "body || x'00'")),
    "secret-tags": ("damaged check", body(secret("binary"), "substr(body, 1, length(body) - 4) || x'21000000'")),
    "secret-name": ("damaged check", f"sql UPDATE row SET key = CAST('bin ary' AS BLOB) WHERE {secret('binary')}"),
    "secret-other": ("damaged check", copy(secret("binary"), secret("large"))),
    "version-missing": ("damaged check", f"sql DELETE FROM row WHERE {version('api/token', 2)}"),
    "version-added": ("damaged check",
                      "sql INSERT INTO row SELECT kind, CAST(substr(key, 1, 16) || x'00000004' AS BLOB), bucket, digest, body "
                      f"FROM row WHERE {version('api/token', 1)}"),
    "version-older": ("damaged check", copy(version("api/token", 3), version("api/token", 2))),
    "version-of-another": ("damaged check", copy(version("binary", 1), version("weak", 1))),
    "version-size": ("damaged check", poke(version("binary", 1), 10, "x'ff'")),
    "version-tag": ("damaged check", cut(version("binary", 1))),
    "setting-missing": ("damaged check", "sql DELETE FROM row WHERE kind = 5"),
    "setting-changed": ("damaged check", poke("kind = 5", 30, "x'00'")),
    "row-kind": ("damaged check", "sql INSERT INTO row SELECT 9, key, bucket, digest, body FROM row WHERE kind = 5"),
    "row-bucket": ("damaged check", f"sql UPDATE row SET bucket = (bucket + 1) % 65536 WHERE {secret('large')}"),
    "row-digest": ("damaged check", f"sql UPDATE row SET digest = zeroblob(32) WHERE {secret('large')}"),
    "row-outside": ("damaged check", f"sql UPDATE row SET bucket = NULL, digest = NULL WHERE {secret('large')}"),
    "node-missing": ("damaged check", "sql DELETE FROM node WHERE level = 4 AND place = "
                     f"(SELECT bucket FROM row WHERE {secret('large')})"),
    "node-changed": ("damaged unlock", "sql UPDATE node SET hash = zeroblob(32) WHERE level = 1"),
    "node-added": ("damaged check", "sql INSERT INTO node SELECT 4, bucket / 16 * 16 + (bucket + 1) % 16, digest FROM row "
                   f"WHERE {secret('large')}"),
    "deposit-missing": ("ok check", f"sql DELETE FROM row WHERE {DEPOSIT}"),
    "deposit-flags": ("damaged check", poke(DEPOSIT, 1, "x'03'")),
    "deposit-note": ("damaged check", poke(DEPOSIT, 46, "'BY'", 2)),
    "deposit-short": ("damaged check", cut(DEPOSIT)),
    "failures": ("ok check", failures("x'0103000000' || zeroblob(16) || zeroblob(16) || zeroblob(8)")),
    "failures-none": ("damaged check", failures("x'0100000000' || zeroblob(40)")),
    "failures-format": ("damaged check", failures("x'0203000000' || zeroblob(40)")),
    "failures-short": ("damaged check", failures("x'0103000000' || zeroblob(39)")),
    "failures-long": ("damaged check", failures("x'0103000000' || zeroblob(41)")),
    "failures-time": ("damaged check", failures("x'0103000000' || zeroblob(15) || x'80' || zeroblob(24)")),
    "deposit-renamed": ("damaged check", f"sql UPDATE row SET key = CAST('ci/deploy-kex' AS BLOB) WHERE {DEPOSIT}"),
}

OUT.mkdir(exist_ok=True)
for old in OUT.glob("*.txt"):
    old.unlink()
for name, (expected, change) in VECTORS.items():
    (OUT / f"{name}.txt").write_text(f"expect {expected}\n{change}\n")

#!/usr/bin/python3
"""A second, independent reader of the audit log, written from docs/format-audit.md alone.

    read_audit.py [--anchor COUNT:HASH] PATH     PATH: a log's folder, or one file taken as audit.jsonl
    read_audit.py --vectors FOLDER               every row of FOLDER/expected.txt

Prints one line and exits 0 when the log verifies (or every row is as expected), else 1. It checks no owners and modes.
"""
import calendar
import hashlib
import json
import os
import re
import sys

LINE_BYTES_MAX = 256 << 10
NUMBER_MAX = 2**63 - 1
DEPTH_MAX = 2048
FORM = re.compile(
    rb'\{"seq":([1-9][0-9]{0,18}),"time":"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z","kind":"[a-z0-9._-]{1,64}"'
    rb'(?:,.*)?,"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}')
ROTATED = re.compile(r"audit-([0-9]{20})\.jsonl")


class Damaged(Exception):
    pass


def rotated_name(first):
    return f"audit-{first:020d}.jsonl"


def is_time(year, month, day, hour, minute, second):
    return (year >= 1970 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
            and hour <= 23 and minute <= 59 and second <= 59)


def refuse(*_):
    raise ValueError


def read_members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    for name in members:
        check_text(name)
    return members


def check_text(text):
    if any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in text):
        raise ValueError


def read_integer(text):
    value = int(text)
    if not -2**63 <= value <= NUMBER_MAX:
        raise ValueError
    return value


def read_real(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return value


def check_strings(value):
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, list):
        for member in value:
            check_strings(member)
    elif isinstance(value, dict):
        for member in value.values():
            check_strings(member)


def depth(line):
    deepest = now = 0
    for c in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line):
        now += (c in b"[{") - (c in b"]}")
        deepest = max(deepest, now)
    return deepest


def is_json(line):
    sys.setrecursionlimit(20000)
    try:
        if depth(line) > DEPTH_MAX:
            return False
        check_strings(json.loads(line, object_pairs_hook=read_members, parse_constant=refuse, parse_int=read_integer,
                                 parse_float=read_real))
        return True
    except ValueError:
        return False


def read_record(line):
    """(number, prev, hash), or the reason as a string."""
    found = FORM.fullmatch(line)
    if not found or any(c < 0x20 or c > 0x7E for c in line) or int(found[1]) > NUMBER_MAX:
        return "it does not have the form of a record"
    if not is_time(*(int(found[i]) for i in range(2, 8))):
        return "it does not have the form of a record"
    if hashlib.blake2b(line[:found.start(9) - len(',"hash":"')], digest_size=32).hexdigest().encode() != found[9]:
        return "its hash does not match its content"
    if not is_json(line):
        return "it is not valid JSON"
    return int(found[1]), found[8].decode(), found[9].decode()


class Verifier:
    def __init__(self, anchor):
        self.anchor = anchor
        self.count = 0
        self.hash = "0" * 64
        self.files = 0

    def file(self, name, first, content):
        for i, line in enumerate(content.split(b"\n")[:-1], 1):
            if len(line) >= LINE_BYTES_MAX:
                raise Damaged(f"file {name} has a line longer than any record")
            if i == 1:
                self.files += 1
                self.check_first(name, first)
            self.record(name, first, i, line)
        if not content.endswith(b"\n"):
            raise Damaged(f"file {name} ends in the middle of a record")

    def check_first(self, name, first):
        expected = self.count + 1
        if first > expected:
            raise Damaged(f"file {rotated_name(expected)} is missing: {name} begins with record {first}")
        if first and first < expected:
            raise Damaged(f"file {name} begins again with record {first}, where record {expected} was expected")

    def record(self, name, first, i, line):
        expected = self.count + 1
        where = f"record {expected} ({name} line {i}): "
        record = read_record(line)
        if isinstance(record, str):
            raise Damaged(where + record)
        number, prev, own = record
        if number > expected and i == 1 and not first:
            raise Damaged(f"file {rotated_name(expected)} is missing, or the head of {name} was cut: it begins with "
                          f"record {number}, where record {expected} was expected")
        if number != expected:
            raise Damaged(f"{where}number {number} where {expected} was expected")
        if prev != self.hash:
            raise Damaged(where + (f"previous hash does not match record {self.count}" if self.count
                                   else "the first record must have no previous hash"))
        if self.anchor and number == self.anchor[0] and own != self.anchor[1]:
            raise Damaged(f"record {number} is not the one the vault anchored: the log was rewritten")
        self.count, self.hash = number, own


def read_files(path):
    """(name, number in the name or 0, content), oldest first; the active file last."""
    if not os.path.isdir(path):
        with open(path, "rb") as file:
            return [("audit.jsonl", 0, file.read())]
    names = sorted(name for name in os.listdir(path) if ROTATED.fullmatch(name))
    found = [(name, int(ROTATED.fullmatch(name)[1])) for name in names]
    found = [(name, first) for name, first in found if 1 <= first <= NUMBER_MAX]
    if os.path.exists(os.path.join(path, "audit.jsonl")):
        found.append(("audit.jsonl", 0))
    files = []
    for name, first in found:
        with open(os.path.join(path, name), "rb") as file:
            files.append((name, first, file.read()))
    return files


def verify(path, anchor):
    verifier = Verifier(anchor)
    torn = 0
    for name, first, content in read_files(path):
        if not first:
            whole = content.rfind(b"\n") + 1
            torn = len(content) - whole
            if torn >= LINE_BYTES_MAX:
                raise Damaged(f"file {name} ends in a line longer than any record")
            content = content[:whole]
        if first and not content:
            raise Damaged(f"file {name} ends before the record that it should hold")
        if content:
            verifier.file(name, first, content)
    if anchor and anchor[0] > verifier.count:
        raise Damaged(f"the log ends at record {verifier.count}, but the vault's anchor is at record {anchor[0]}: "
                      "the tail was cut")
    return f"ok: {verifier.count} records in {verifier.files} files, {torn} torn bytes"


def result_of(path, anchor):
    if anchor == "-":
        parsed = None
    else:
        count, digest = anchor.split(":")
        parsed = int(count), digest
    try:
        return verify(path, parsed)
    except Damaged as reason:
        return f"damaged: {reason}"


def check_vectors(folder):
    bad = rows = 0
    with open(os.path.join(folder, "expected.txt"), encoding="ascii") as table:
        for row in list(table)[1:]:
            name, anchor, expected = row.rstrip("\n").split(" | ")
            got = result_of(os.path.join(folder, name), anchor)
            rows += 1
            if got != expected:
                bad += 1
                print(f"{name} {anchor}\n  expected {expected}\n  got      {got}")
    print(f"{rows} rows, {bad} differ")
    return rows > 0 and bad == 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--vectors":
        return 0 if check_vectors(arguments[1]) else 1
    anchor = "-"
    if len(arguments) == 3 and arguments[0] == "--anchor":
        anchor = arguments[1]
        arguments = arguments[2:]
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    result = result_of(arguments[0], anchor)
    print(result)
    return 0 if result.startswith("ok") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/python3
"""Makes tests/vectors/audit: each file or folder is one log with one defect. Run it only when the format changes.

The expectations are written here by hand, next to each defect, and not taken from any reader.
"""
import hashlib
import os
import shutil

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "audit")
ZERO = "0" * 64
FORM = "it does not have the form of a record"
HASH = "its hash does not match its content"
JSON = "it is not valid JSON"
rows = []


def seal(body):
    """The line of a body, and its hash."""
    digest = hashlib.blake2b(body.encode("latin-1"), digest_size=32).hexdigest()
    return f'{body},"hash":"{digest}"}}\n', digest


def line(number, prev, fields='"name":"API_TOKEN"', kind="secret.set", time="2026-01-31T12:00:00Z"):
    middle = f",{fields}" if fields else ""
    return seal(f'{{"seq":{number},"time":"{time}","kind":"{kind}"{middle},"prev":"{prev}"')


def chain(count, first=1, prev=ZERO, note="one"):
    lines, hashes = [], []
    for number in range(first, first + count):
        text, prev = line(number, prev, f'"note":"{note} {number}"')
        lines.append(text)
        hashes.append(prev)
    return lines, hashes


def put(name, content, expected, anchor="-"):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content.encode("latin-1"))
    if expected:
        expect(name, expected, anchor)


def expect(name, expected, anchor="-"):
    rows.append(f"{name} | {anchor} | {expected}")


def at(number, reason, row=None):
    return f"damaged: record {number} (audit.jsonl line {row or number}): {reason}"


def ok(records, files=1, torn=0):
    return f"ok: {records} records in {files} files, {torn} torn bytes"


def put_second(name, reason, **how):
    """A log whose second record is well chained and hashed but has one defect inside."""
    lines, hashes = chain(1)
    put(name, lines[0] + line(2, hashes[0], **how)[0], at(2, reason) if reason else ok(2))


def good():
    lines, hashes = chain(3)
    text = "".join(lines)
    put("good.jsonl", text, ok(3))
    expect("good.jsonl", ok(3), f"3:{hashes[2]}")
    expect("good.jsonl", ok(3), f"1:{hashes[0]}")
    put("empty.jsonl", "", ok(0, 0))
    put("torn-tail.jsonl", text + lines[0][:40], ok(3, 1, 40))
    put("torn-line-end.jsonl", text[:-1], ok(2, 1, len(lines[2]) - 1))
    expect("torn-line-end.jsonl", "damaged: the log ends at record 2, but the vault's anchor is at record 3: the tail was cut",
           f"3:{hashes[2]}")
    put("tail-cut.jsonl", "".join(lines[:2]), ok(2))
    expect("tail-cut.jsonl", "damaged: the log ends at record 2, but the vault's anchor is at record 3: the tail was cut",
           f"3:{hashes[2]}")
    other, _ = chain(3, note="two")
    put("rewritten.jsonl", "".join(other), ok(3))
    expect("rewritten.jsonl", "damaged: record 3 is not the one the vault anchored: the log was rewritten", f"3:{hashes[2]}")
    expect("empty.jsonl", "damaged: the log ends at record 0, but the vault's anchor is at record 3: the tail was cut",
           f"3:{hashes[2]}")


def broken_chains():
    lines, hashes = chain(4)
    other, _ = chain(4, note="two")
    put("line-deleted.jsonl", lines[0] + lines[2] + lines[3], at(2, "number 3 where 2 was expected"))
    put("line-doubled.jsonl", lines[0] + lines[1] + lines[1], at(3, "number 2 where 3 was expected"))
    put("lines-swapped.jsonl", lines[0] + lines[2] + lines[1] + lines[3], at(2, "number 3 where 2 was expected"))
    put("line-of-another-log.jsonl", lines[0] + other[1] + lines[2], at(2, "previous hash does not match record 1"))
    put("head-cut.jsonl", lines[1] + lines[2],
        "damaged: file audit-00000000000000000001.jsonl is missing, or the head of audit.jsonl was cut: it begins with "
        "record 2, where record 1 was expected")
    put("first-has-previous.jsonl", line(1, hashes[0])[0], at(1, "the first record must have no previous hash"))
    put("line-blank.jsonl", lines[0] + "\n" + lines[1], at(2, FORM))
    put("line-joined.jsonl", lines[0][:-1] + lines[1], at(1, HASH))


def changed_bytes():
    lines, _ = chain(2)
    text = "".join(lines)
    for name, old, new, reason in (
            ("changed-content", "one 2", "two 2", HASH), ("changed-number", '"seq":2', '"seq":3', HASH),
            ("changed-time", "-31T12", "-30T12", HASH), ("changed-kind", 'set","note":"one 2', 'get","note":"one 2', HASH),
            ("number-zero", '"seq":2', '"seq":0', FORM), ("number-padded", '"seq":2', '"seq":02', FORM),
            ("number-too-large", '"seq":2', '"seq":9223372036854775808', FORM),
            ("space-after-colon", '"seq":2', '"seq": 2', FORM)):
        put(f"{name}.jsonl", lines[0] + lines[1].replace(old, new), at(2, reason))
    put("changed-previous.jsonl", lines[0] + flip_hex(lines[1], '"prev":"'), at(2, HASH))
    put("changed-hash.jsonl", lines[0] + flip_hex(lines[1], '"hash":"'), at(2, HASH))
    put("hash-capitals.jsonl", lines[0] + lines[1][:-67] + lines[1][-67:-3].upper() + lines[1][-3:], at(2, FORM))
    put("hash-short.jsonl", lines[0] + lines[1][:-4] + '"}\n', at(2, FORM))
    put("carriage-return.jsonl", lines[0] + lines[1][:-1] + "\r\n", at(2, FORM))
    put("nul-byte.jsonl", lines[0] + lines[1].replace("one 2", "one\x002"), at(2, FORM))
    put("byte-order-mark.jsonl", "\xef\xbb\xbf" + text, at(1, FORM))


def flip_hex(text, mark):
    place = text.index(mark) + len(mark)
    return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1:]


def well_hashed_defects():
    put_second("time-no-such-day.jsonl", FORM, time="2026-02-30T12:00:00Z")
    put_second("time-second-60.jsonl", FORM, time="2026-01-31T12:00:60Z")
    put_second("time-leap-day.jsonl", None, time="2028-02-29T00:00:00Z")
    put_second("time-offset.jsonl", FORM, time="2026-01-31T12:00:00+01:00")
    put_second("kind-empty.jsonl", FORM, kind="")
    put_second("kind-capitals.jsonl", FORM, kind="Run")
    put_second("kind-64.jsonl", None, kind="k" * 64)
    put_second("kind-65.jsonl", FORM, kind="k" * 65)
    put_second("no-fields.jsonl", None, fields="")
    put_second("member-doubled.jsonl", JSON, fields='"name":"A","name":"B"')
    put_second("member-doubled-escaped.jsonl", JSON, fields='"name":"A","n\\u0061me":"B"')
    put_second("member-doubled-inside.jsonl", JSON, fields='"program":{"path":"/a","path":"/b"}')
    put_second("kind-doubled.jsonl", JSON, fields='"kind":"other"')
    put_second("comma-too-many.jsonl", JSON, fields='"list":[1,]')
    put_second("bracket-open.jsonl", JSON, fields='"list":[1')
    put_second("string-open.jsonl", JSON, fields='"name":"A')
    put_second("escape-unknown.jsonl", JSON, fields='"name":"\\x41"')
    put_second("escape-nul.jsonl", JSON, fields='"name":"\\u0000"')
    put_second("escape-lone-surrogate.jsonl", JSON, fields='"name":"\\ud800"')
    put_second("escape-pair.jsonl", None, fields='"name":"\\ud83d\\ude00 \\u00e9 \\" \\\\ \\/ \\b\\f\\n\\r\\t"')
    put_second("number-forms.jsonl", None, fields='"list":[0,-1,1.5,1e3,-0.25E-2,9223372036854775807,-9223372036854775808]')
    put_second("number-leading-zero.jsonl", JSON, fields='"n":01')
    put_second("number-integer-overflow.jsonl", JSON, fields='"n":9223372036854775808')
    put_second("number-real-overflow.jsonl", JSON, fields='"n":1e999')
    put_second("number-nan.jsonl", JSON, fields='"n":NaN')
    put_second("number-bare-point.jsonl", JSON, fields='"n":1.')
    put_second("words.jsonl", None, fields='"list":[true,false,null,{},[]]')
    put_second("word-unknown.jsonl", JSON, fields='"n":tru')
    put_second("byte-not-ascii.jsonl", FORM, fields='"name":"\xc3\xa9"')
    put_second("deep.jsonl", None, fields='"n":' + "[" * 100 + "]" * 100)
    put_second("too-deep.jsonl", JSON, fields='"n":' + "[" * 2100 + "]" * 2100)
    put_second("hash-mark-inside.jsonl", None, fields='"name":"\\",\\"prev\\":\\"' + "0" * 64 + '\\",\\"hash\\":\\""')


def rotations():
    def name(folder, first):
        return f"{folder}/audit-{first:020d}.jsonl"

    lines, hashes = chain(6)
    parts = {1: "".join(lines[:2]), 3: "".join(lines[2:4]), 5: "".join(lines[4:])}

    def put_log(folder, files, active, expected, anchor="-"):
        for first, text in files.items():
            put(name(folder, first), text, None)
        if active is not None:
            put(f"{folder}/audit.jsonl", active, None)
        expect(folder, expected, anchor)

    both = {1: parts[1], 3: parts[3]}
    put_log("rotated-good", both, parts[5], ok(6, 3), f"6:{hashes[5]}")
    expect("rotated-good", ok(6, 3), f"3:{hashes[2]}")
    put_log("rotated-active-empty", both, "", ok(4, 2))
    put_log("rotated-active-gone", both, None, ok(4, 2))
    expect("rotated-active-gone", "damaged: the log ends at record 4, but the vault's anchor is at record 6: the tail was cut",
           f"6:{hashes[5]}")
    put_log("rotated-first-gone", {3: parts[3]}, parts[5],
            "damaged: file audit-00000000000000000001.jsonl is missing: audit-00000000000000000003.jsonl begins with record 3")
    put_log("rotated-middle-gone", {1: parts[1], 5: parts[5]}, "",
            "damaged: file audit-00000000000000000003.jsonl is missing: audit-00000000000000000005.jsonl begins with record 5")
    put_log("rotated-last-gone", {1: parts[1]}, parts[5],
            "damaged: file audit-00000000000000000003.jsonl is missing, or the head of audit.jsonl was cut: it begins with "
            "record 5, where record 3 was expected")
    put_log("rotated-doubled", {1: parts[1], 2: lines[1]}, parts[3],
            "damaged: file audit-00000000000000000002.jsonl begins again with record 2, where record 3 was expected")
    put_log("rotated-cut", {1: parts[1], 3: parts[3][:-10]}, parts[5],
            "damaged: file audit-00000000000000000003.jsonl ends in the middle of a record")
    put_log("rotated-emptied", {1: parts[1], 3: ""}, parts[5],
            "damaged: file audit-00000000000000000003.jsonl ends before the record that it should hold")
    put_log("rotated-wrong-number", {1: parts[1], 3: lines[3]}, parts[5],
            "damaged: record 3 (audit-00000000000000000003.jsonl line 1): number 4 where 3 was expected")
    other, _ = chain(2, first=3, prev=hashes[0], note="two")
    put_log("rotated-of-another-log", {1: parts[1], 3: "".join(other)}, parts[5],
            "damaged: record 3 (audit-00000000000000000003.jsonl line 1): previous hash does not match record 2")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    good()
    broken_chains()
    changed_bytes()
    well_hashed_defects()
    rotations()
    with open(os.path.join(FOLDER, "expected.txt"), "w", encoding="ascii") as table:
        table.write("file or folder | anchor | expected\n")
        table.write("".join(row + "\n" for row in rows))


if __name__ == "__main__":
    main()

"""C6: a log that was changed, cut, reordered, emptied or replaced is found by `audit verify`; its end by every run too."""

import json
import os
import shutil

import pytest

from attack_support import log_read, log_rehash, log_write
from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, copy_vault


@pytest.fixture(scope="module")
def used(tmp_path_factory, original):
    """A log with runs in it, which is what somebody would want to be without."""
    vault = copy_vault(original, tmp_path_factory.mktemp("used"))
    for argument in ("first", "second", "third"):
        vault.ok("run", "-s", "API_TOKEN", "--", "true", argument)
    vault.run("verify", "API_TOKEN", input=b"wrong", status=1)
    return vault


@pytest.fixture
def target(tmp_path, used):
    return copy_vault(used, tmp_path)


def assert_refused(vault, says="", others=()):
    """By verify with a reason, and by what would go on from there; nothing is added to it."""
    result = vault.run("audit", "verify", status=6)
    assert says in result.talk, result
    before = {name: content for name, content in vault.files().items() if name.startswith("audit")}
    run = vault.run("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started; echo $API_TOKEN", status=125)
    assert run.out == b""
    for words in others:
        vault.run(*words, status=6)
    assert_nowhere(SECRETS.values(), result.out + result.err + run.err)
    after = {name: content for name, content in vault.files().items() if name.startswith("audit")}
    assert after == before


def edit(change):
    def apply(lines):
        lines = list(lines)
        change(lines)
        return lines
    return apply


def changed(number, old, new):
    def change(lines):
        assert old in lines[number]
        lines[number] = lines[number].replace(old, new)
    return edit(change)


def swap(lines):
    lines[4], lines[5] = lines[5], lines[4]


def run_intents(lines):
    return [number for number, line in enumerate(lines) if '"kind":"run.intent"' in line]


EDITS = {
    "an argument changed": lambda lines: changed(run_intents(lines)[1], '"second"', '"other"')(lines),
    "a kind changed": lambda lines: changed(run_intents(lines)[1], "run.intent", "secret.set")(lines),
    "a time changed": lambda lines: changed(3, "T", "t")(lines),
    "a record deleted": lambda lines: lines[:5] + lines[6:],
    "the first record deleted": lambda lines: lines[1:],
    "an intent and its outcome deleted": lambda lines: lines[:run_intents(lines)[1]] + lines[run_intents(lines)[1] + 2:],
    "two records swapped": edit(swap),
    "a record doubled": lambda lines: lines[:5] + [lines[4]] + lines[5:],
    "a record inserted": lambda lines: lines[:5] + [lines[0]] + lines[5:],
    "the last record cut": lambda lines: lines[:-1],
    "the last run cut": lambda lines: lines[:run_intents(lines)[2]],
    "all but the first cut": lambda lines: lines[:1],
    "emptied": lambda lines: [],
    "an empty line": lambda lines: lines[:5] + [""] + lines[5:],
    "a line that is no record": lambda lines: lines + ["hello"],
    "a chain made anew": lambda lines: log_rehash(lines[:5] + lines[6:]),
    "a chain made anew, changed": lambda lines: log_rehash(changed(run_intents(lines)[1], '"second"', '"other"')(lines)),
    "a chain made anew, same length": lambda lines: log_rehash(lines[:5] + [lines[0]] + lines[6:]),
    "only the last made anew": lambda lines: lines[:-1] + [json.dumps({**json.loads(lines[-1]), "kind": "run.intent"},
                                                                      separators=(",", ":"))],
}


# A run looks at the anchored record and what is behind it; edits further up that leave these in place are found by verify.
FAR_FROM_THE_END = {"a kind changed", "a time changed", "the first record deleted", "two records swapped"}


@pytest.mark.parametrize("what", sorted(set(EDITS) - FAR_FROM_THE_END))
def test_edited(target, what):
    lines = log_read(target)
    after = EDITS[what](lines)
    assert after != lines
    log_write(target, after)
    assert_refused(target)


@pytest.mark.parametrize("what", sorted(FAR_FROM_THE_END))
def test_edited_far_from_the_end(target, what):
    """Found by the next verify, also after runs and changes that went on from there: nothing covers it up."""
    lines = log_read(target)
    log_write(target, EDITS[what](lines))
    sentence = target.run("audit", "verify", status=6).talk
    target.run("run", "-s", "API_TOKEN", "--", "true")
    target.run("set", "MORE", "--generate", "20")
    assert target.run("audit", "verify", status=6).talk == sentence
    target.run("audit", "verify", "--chain-only", passphrase=False, status=6)


def test_a_false_record_behind_the_anchor(target):
    """The exception that the claim names: behind the anchor, where locked commands write, there is no key."""
    lines = log_read(target)
    log_write(target, log_rehash(lines + lines[-1:]))
    result = target.ok("audit", "verify", "--json").json()
    assert result["unanchored"] == 1
    log_write(target, log_rehash(lines + lines[-1:] * 3)[:-2])
    target.ok("run", "-s", "API_TOKEN", "--", "true")
    anchored = log_read(target)
    log_write(target, log_rehash(anchored[:len(lines)] + anchored[len(lines) + 1:]))
    assert_refused(target)


def test_the_record_is_named(target):
    lines = log_read(target)
    number = run_intents(lines)[1]
    log_write(target, changed(number, '"second"', '"other"')(lines))
    assert_refused(target, f"record {number + 1} ")
    assert f"record {number + 1} " in target.run("audit", "verify", "--chain-only", passphrase=False, status=6).talk


def test_every_byte_of_a_record(target):
    raw = target.log.read_bytes()
    lines = log_read(target)
    start = sum(len(line) + 1 for line in lines[:run_intents(lines)[1]])
    size = len(lines[run_intents(lines)[1]])
    for at in range(start, start + size + 1, 23):
        target.log.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:])
        target.run("audit", "verify", "--chain-only", passphrase=False, status=6)
    target.log.write_bytes(raw)
    target.ok("audit", "verify")


@pytest.mark.parametrize("form", ["deleted", "a symbolic link", "a folder", "of another vault", "a link to nothing", "truncated in a record"])
def test_the_file_replaced(target, form, tmp_path, empty_original):
    other = copy_vault(empty_original, tmp_path / "other")
    raw = target.log.read_bytes()
    target.log.unlink()
    status = 6
    if form == "a symbolic link":
        (tmp_path / "moved").write_bytes(raw)
        target.log.symlink_to(tmp_path / "moved")
        status = 4
    elif form == "a link to nothing":
        target.log.symlink_to(tmp_path / "nothing")
        status = 4
    elif form == "a folder":
        target.log.mkdir(mode=0o700)
        status = 4
    elif form == "of another vault":
        for name in range(4):
            other.set(f"NAME_{name}", b"some-value-%d-xyz" % name)
        for path in target.dir.glob("audit*"):
            path.unlink()
        for path in other.dir.glob("audit*"):
            shutil.copy(path, target.dir)
    elif form == "truncated in a record":
        target.log.write_bytes(raw[:-100])
        target.log.chmod(0o600)
    assert target.run("audit", "verify").status == status
    run = target.run("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started", status=125)
    assert run.out == b""


def test_rotated_files_count_too(target):
    target.ok("audit", "rotate")
    target.ok("run", "-s", "API_TOKEN", "--", "true")
    rotated, = target.dir.glob("audit-0*.jsonl")
    raw = rotated.read_bytes()
    lines = raw.decode().splitlines(keepends=True)
    for damaged in (b"", raw[:-1], "".join(lines[:-1]).encode(), "".join(lines[1:]).encode(), raw.replace(b'"first"', b'"other"')):
        assert damaged != raw
        rotated.write_bytes(damaged)
        target.run("audit", "verify", status=6)
        target.run("audit", "verify", "--chain-only", passphrase=False, status=6)
    rotated.unlink()
    target.run("audit", "verify", status=6)
    rotated.write_bytes(raw)
    rotated.chmod(0o600)
    target.ok("audit", "verify")


CHANGES = [["set", "MORE", "--generate", "20"], ["rename", "API_TOKEN", "MORE"], ["rm", "API_TOKEN", "--yes"], ["rollback", "API_TOKEN"],
           ["tag", "API_TOKEN", "--add", "x"], ["copy", "API_TOKEN", "MORE"], ["verify", "API_TOKEN"]]


def test_all_files_of_the_log_deleted(target):
    for path in target.dir.glob("audit*"):
        path.unlink()
    before = target.names()
    assert_refused(target, others=CHANGES)
    assert target.names() == before


def test_an_older_log_put_back(target):
    """With a chain that is whole: only the anchor knows better."""
    before = target.log.read_bytes()
    target.ok("run", "-s", "API_TOKEN", "--", "true")
    target.log.write_bytes(before)
    target.ok("audit", "verify", "--chain-only", passphrase=False)
    assert_refused(target, "cut")


def test_accept_is_the_only_way_on(target):
    log_write(target, log_read(target)[:-4])
    assert_refused(target)
    assert target.run("audit", "accept", "--yes", passphrase=False, status=4)
    target.write_passphrase("not it")
    target.run("audit", "accept", "--yes", status=5)
    target.write_passphrase(PASSPHRASE)
    target.ok("audit", "accept", "--yes")
    record = target.records()[-1]
    assert record["kind"] == "audit.accept"
    target.ok("run", "-s", "API_TOKEN", "--", "true")
    target.ok("audit", "verify")


def test_accept_with_nothing_to_accept(target):
    before = target.log.read_bytes()
    target.run("audit", "accept", "--yes", status=1)
    assert target.log.read_bytes() == before


def test_what_was_written_while_locked_is_anchored_by_the_next_unlock(target):
    """The exception that the claim names, and its end."""
    target.set("WAITING", b"some-value-77-abc", "--locked", passphrase=False)
    cut = log_read(target)
    assert json.loads(cut[-1])["kind"] == "secret.deposit"
    log_write(target, cut[:-1])
    target.ok("audit", "verify")
    log_write(target, cut)
    target.ok("run", "-s", "API_TOKEN", "--", "true")
    lines = log_read(target)
    log_write(target, [line for line in lines if "secret.deposit" not in line])
    assert_refused(target)


def test_the_intent_is_on_disk_before_the_value_is_given(target):
    """The program itself looks whether it is recorded."""
    result = target.ok("run", "-s", "API_TOKEN", "--", "sh", "-c", f"tail -n 1 '{target.log}' | cut -c1-200; echo end")
    assert '"kind":"run.intent"' in result.text and result.text.endswith("end\n")


def test_no_record_no_secret(target):
    """Where the log cannot be written, nothing is given away."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    target.log.chmod(0o400)
    result = target.run("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started")
    assert result.status == 125 and result.out == b"", result

"""The log: what is recorded, how it is looked at, and that a changed or shortened log is refused."""

import base64
import datetime
import hashlib
import json
import re
import shutil

import pytest

from audit_support import forged, kinds, lines_of, refused
from envseal_support import PYTHON, SECRETS, assert_nowhere, copy_vault, finish, masked

TOKEN = SECRETS["API_TOKEN"]


@pytest.fixture(scope="module")
def lived_original(tmp_path_factory, original):
    """A vault in which every command that is recorded was used once."""
    vault = copy_vault(original, tmp_path_factory.mktemp("lived"))
    (vault.work / "dotenv").write_text("IMPORTED_KEY=imp-83hfQw72Lz\n")
    secret = ["-s", "API_TOKEN"]
    for words in (["set", "A", "--generate", "20"], ["set", "D", "--generate", "20", "--locked"], ["confirm", "D"],
                  ["set", "D2", "--generate", "20", "--locked"], ["confirm", "D2", "--discard", "--yes"],
                  ["rename", "A", "B"],
                  ["copy", "B", "C"], ["rm", "C", "--yes"], ["tag", "B", "--add", "x"],
                  ["set", "B", "--generate", "20", "--force"],
                  ["rollback", "B"], ["import", "dotenv"], ["run", *secret, "--", "true"],
                  ["inject", *secret, "--", "true"],
                  ["pipe", "API_TOKEN", "--", "cat"]):
        vault.ok(*words, direct=True)
    vault.run("verify", "API_TOKEN", input=b"guess", status=1)
    vault.ok("verify", "API_TOKEN", input=TOKEN)
    vault.write_passphrase("not it at all")
    vault.run("tag", "B", "--add", "y", status=5)
    return vault


@pytest.fixture
def lived(tmp_path, lived_original):
    return copy_vault(lived_original, tmp_path)


# ----------------------------------------------------------------------------------------------------- what is recorded


def test_every_command_is_recorded(lived):
    assert kinds(lived) == ["vault.init", *["secret.set"] * 4, "secret.deposit", "secret.confirm", "secret.deposit",
                            "secret.discard", "secret.rename", "secret.copy", "secret.remove", "secret.tag",
                            "secret.set",
                            "secret.rollback", "import", "run.intent", "run.outcome", "inject.intent", "pipe.intent",
                            "pipe.outcome", "secret.verify", "secret.verify", "unlock.failed"]


def test_records_are_as_the_format_says(lived):
    before = "0" * 64
    for number, line in enumerate(lines_of(lived), 1):
        record = json.loads(line)
        assert list(record)[:3] == ["seq", "time", "kind"] and list(record)[-2:] == ["prev", "hash"]
        assert record["seq"] == number and record["prev"] == before
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["time"])
        assert re.fullmatch(rb"[\x20-\x7e]+\n", line)
        before = hashlib.blake2b(line[:line.rindex(b',"hash":"')], digest_size=32).hexdigest()
        assert record["hash"] == before


def test_no_value_is_in_the_log(lived):
    values = [*SECRETS.values(), b"imp-83hfQw72Lz", b"quiet otter maps", b"not it at all", b"guess"]
    assert_nowhere(values, lived.log.read_bytes())
    assert_nowhere(values, lived.ok("audit", "show").out + lived.ok("audit", "show", "--json").out)


def test_a_run_is_told_in_full(vault):
    vault.run("run", "-s", "API_TOKEN=T", "-s", "DATABASE_URL=U:file", "--", "sh", "-c",
              'echo "$T"; echo "$T" >&2; exit 9', status=9)
    intent, outcome = vault.records()[-2:]
    assert (intent["kind"], outcome["kind"]) == ("run.intent", "run.outcome")
    assert intent["secrets"] == outcome["secrets"] == [
        {"name": "API_TOKEN", "delivery": "variable", "variable": "T"},
        {"name": "DATABASE_URL", "delivery": "file", "variable": "U"}]
    program = intent["program"]
    with open(program["path"], "rb") as file:
        assert program["digest"] == hashlib.blake2b(file.read(), digest_size=32).hexdigest()
    assert program["binding"] == "system" and outcome["program"] == program
    assert intent["argv"][:2] == ["sh", "-c"] and intent["directory"] == str(vault.work)
    assert (outcome["status"], outcome["signal"], outcome["leak_total"]) == (9, 0, 2)
    assert [(leak["secret"], leak["form"], leak["stream"], leak["count"]) for leak in outcome["leaks"]] == [
        ("API_TOKEN", "raw", "stdout", 1), ("API_TOKEN", "raw", "stderr", 1)]


def test_intent_is_on_disk_before_the_program_starts(vault):
    """The program reads the log, finds what is about to happen, and not yet how it ended."""
    program = ("import json, os, sys\nrecords = [json.loads(line) for line in open(os.environ['LOG'])]\n"
               "print(records[-1]['kind'], records[-1]['argv'][-1], records[-1]['secrets'][0]['name'])")
    for action, option in (("run", ["-s", "API_TOKEN"]), ("inject", ["-s", "API_TOKEN"]), ("pipe", ["API_TOKEN"])):
        result = vault.ok(action, *option, "--", PYTHON, "-I", "-c", program, "mark", env={"LOG": str(vault.log)})
        assert result.text == f"{action}.intent mark API_TOKEN\n"
    found = [record["kind"] for record in vault.records() if record["kind"].endswith((".intent", ".outcome"))]
    assert found == ["run.intent", "run.outcome", "inject.intent", "pipe.intent", "pipe.outcome"]


def test_values_in_arguments_are_masked(vault):
    value = TOKEN.decode()
    words = [value, f"--token={value}", base64.b64encode(b"u:" + TOKEN).decode(), TOKEN.hex(), value[:8], "plain\x1b\n",
             "x" * 9000]
    vault.ok("run", "-s", "API_TOKEN", "--", "true", *words, direct=True)  # no rule holds a value
    argv = vault.records()[-2]["argv"]
    assert argv[1:3] == [masked("API_TOKEN"), f"--token={masked('API_TOKEN')}"]
    assert masked("API_TOKEN", "base64") in argv[3] and argv[4:6] == [masked("API_TOKEN", "hex"), masked("API_TOKEN")]
    assert argv[6].startswith("plain") and argv[6].isprintable() and argv[7].endswith("...") and len(argv[7]) < 9000
    assert_nowhere([TOKEN, base64.b64encode(TOKEN)[:-4], TOKEN.hex().encode()], vault.log.read_bytes())


def test_a_directory_named_like_a_value(vault):
    folder = vault.work / TOKEN.decode()
    folder.mkdir()
    vault.ok("run", "-s", "API_TOKEN", "--", "true", cwd=folder)
    assert_nowhere([TOKEN], vault.log.read_bytes())
    assert vault.records()[-2]["directory"].endswith(masked("API_TOKEN"))


@pytest.mark.parametrize("answer", ["empty", "control-c", "wrong"])
def test_a_refusal_at_the_prompt_is_recorded(vault, answer):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo started", "a word")
    child.expect("Passphrase to approve once: ")
    if answer == "control-c":
        child.sendintr()
    else:
        child.sendline("" if answer == "empty" else "not it at all")
    text, status = finish(child)
    assert "started" not in text and status == 125
    record = vault.records()[-1]
    if answer == "wrong":
        assert record["kind"] == "unlock.failed"
    else:
        assert record["kind"] == "run.denied" and record["secrets"][0]["name"] == "API_TOKEN" and "argv" not in record
    # A wrong passphrase is told of, which anchors it.
    assert vault.check()["unanchored"] == (answer != "wrong")


def test_what_only_looks_is_not_recorded(vault):
    before = vault.log.read_bytes()
    for words in (["list"], ["show", "API_TOKEN"], ["history", "API_TOKEN"], ["audit", "show"], ["audit", "verify"],
                  ["doctor"],
                  ["run", "-s", "API_TOKEN", "--explain", "--", "true"]):
        vault.ok(*words)
    vault.run("get", "API_TOKEN", status=4)
    assert vault.log.read_bytes() == before


# ----------------------------------------------------------------------------------------------------------------- show


def test_filters(lived):
    everything = lived.records()
    assert kinds(lived, "--kind", "run") == ["run.intent", "run.outcome"]
    assert kinds(lived, "--kind", "run.intent") == ["run.intent"] and kinds(lived, "--kind", "ru") == []
    assert kinds(lived, "--kind",
                 "secret") == [record["kind"] for record in everything if record["kind"].startswith("secret.")]
    assert kinds(lived, "--secret", "D") == kinds(lived, "-s", "D") == ["secret.deposit", "secret.confirm"]
    assert kinds(lived, "--secret", "IMPORTED_KEY") == ["import"] and kinds(lived, "--secret", "NOBODY") == []
    assert set(kinds(lived, "--secret", "B")) == {"secret.rename", "secret.copy", "secret.tag", "secret.set",
                                                  "secret.rollback"}
    assert kinds(lived, "--secret", "A") == ["secret.set", "secret.rename"]
    assert kinds(lived, "--secret", "C") == ["secret.copy", "secret.remove"]
    cat = kinds(lived, "--program", "cat")
    assert cat == ["pipe.intent", "pipe.outcome"] == kinds(lived, "--program", shutil.which("cat", path="/usr/bin"))
    assert kinds(lived, "--program", "at") == kinds(lived, "--program", "/nowhere/cat") == []
    assert kinds(lived, "--secret", "API_TOKEN", "--program", "true", "--kind", "run") == ["run.intent", "run.outcome"]


def test_filters_by_time(lived):
    everything = kinds(lived)
    first, last = lived.records()[0]["time"], lived.records()[-1]["time"]
    assert kinds(lived, "--since", first, "--until", last) == everything
    assert kinds(lived, "--since", "1d") == kinds(lived, "--until", "2199-01-01") == everything
    assert kinds(lived, "--until", "1d") == kinds(lived, "--since", "2199-01-01") == []
    after = datetime.datetime.strptime(last, "%Y-%m-%dT%H:%M:%SZ") + datetime.timedelta(seconds=1)
    assert kinds(lived, "--since", after.strftime("%Y-%m-%dT%H:%M:%SZ")) == []
    for bad in ("yesterday", "", "2026-13-01", "7"):
        assert "--since" in lived.run("audit", "show", "--since", bad, status=2).talk


def test_show_in_words(lived):
    lines = lived.ok("audit", "show").text.splitlines()
    records = lived.records()
    assert len(lines) == len(records)
    for line, record in zip(lines, records):
        assert line.split()[:3] == [str(record["seq"]), record["time"], record["kind"]]
    assert "API_TOKEN" in lines[16] and "/true" in lines[16] and "status 0" in lines[17]


def test_show_without_a_log(no_vault):
    for words in (["show"], ["verify", "--chain-only"], ["rotate"]):
        result = no_vault.run("audit", *words)
        assert (result.status, result.out) == (1, b""), result
        assert result.talk.startswith(f"envseal: audit {words[0]}: "), result
    assert not no_vault.dir.exists()


def test_show_of_a_log_that_is_no_log(vault):
    vault.log.write_bytes(vault.log.read_bytes() + b"not a record\n")
    result = vault.run("audit", "show", status=6)
    assert "line 5" in result.talk


# --------------------------------------------------------------------------------------------------------------- verify


def test_verify(vault):
    count = len(lines_of(vault))
    assert vault.check() == {"version": 1, "ok": True, "records": count, "files": 1, "anchor_checked": True,
                             "anchor": count,
                             "unanchored": 0}
    result = vault.ok("audit", "verify")
    assert f"the chain of {count} records" in result.text
    assert f"record {count} is the one the vault anchored" in result.text
    result = vault.ok("audit", "verify", "--chain-only", passphrase=False)
    assert "a cut tail would not show" in result.text
    found = vault.ok("audit", "verify", "--chain-only", "--json", passphrase=False).json()
    assert found["anchor_checked"] is False and found["records"] == count


def test_verify_wants_the_passphrase(vault):
    assert "--passphrase-file" in vault.run("audit", "verify", passphrase=False, status=4).talk
    vault.write_passphrase("not it at all")
    vault.run("audit", "verify", status=5)


def test_records_written_while_locked_are_behind_the_anchor(vault):
    anchored = len(lines_of(vault))
    vault.ok("set", "D", "--generate", "20", "--locked", passphrase=False)
    vault.run("run", "-s", "API_TOKEN", "--", "true", passphrase=False, status=125)
    vault.ok("set", "E", "--generate", "20", "--locked", passphrase=False)
    report = vault.check()
    assert (report["records"], report["anchor"], report["unanchored"]) == (anchored + 2, anchored, 2)
    assert "2 records behind it" in vault.ok("audit", "verify").text
    vault.ok("tag", "API_TOKEN", "--add", "x")
    report = vault.check()
    assert (report["anchor"], report["unanchored"]) == (anchored + 3, 0)


@pytest.mark.parametrize("change, says", [
    (lambda lines: [lines[0], lines[1].replace(b"API_TOKEN", b"API_TOKEX"), *lines[2:]],
     "record 2 (audit.jsonl line 2): its hash"),
    (lambda lines: [*lines[:2], *lines[3:]], "number 4 where 3 was expected"),
    (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "number 3 where 2 was expected"),
    (lambda lines: [*lines, lines[-1]], "number 4 where 5 was expected"),
    (lambda lines: [*lines, b"{}\n"], "does not have the form"),
    (lambda lines: [b"\n", *lines], "does not have the form"),
    (lambda lines: [lines[0], forged(lines[1], secret="OTHER"), *lines[2:]], "previous hash does not match record 2"),
    (lambda lines: lines[1:], "begins with record 2"),
    (lambda lines: [forged(lines[0], prev="1" * 64), *lines[1:]], "no previous hash")],
    ids=["byte", "removed", "swapped", "doubled", "foreign", "empty line", "forged", "head cut", "first"])
def test_a_changed_log_is_refused(vault, change, says):
    """By verify, with and without the passphrase; and nothing is released on such a log."""
    lines = lines_of(vault)
    assert len(lines) == 4
    vault.log.write_bytes(b"".join(change(lines)))
    refused(vault, says)
    refused(vault, says, options=())


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_cut_tail_shows_by_the_anchor(vault, left):
    vault.log.write_bytes(b"".join(lines_of(vault)[:left]))
    assert vault.ok("audit", "verify", "--chain-only", passphrase=False)
    refused(vault, f"the log ends at record {left}, but the vault's anchor is at record 4", options=())
    marker = vault.work / "started"
    for command in (["run", "-s", "API_TOKEN", "--", "touch", str(marker)], ["set", "NEW", "--generate", "20"]):
        result = vault.run(*command)
        assert result.status in (125, 6) and "envseal audit accept" in result.talk, result
    assert not marker.exists() and "NEW" not in vault.names()


def test_a_rewritten_log_shows_by_the_anchor(vault):
    """A whole chain of somebody's own making verifies by itself, and not against the vault."""
    lines = lines_of(vault)
    last = forged(lines[-1], secret="OTHER")
    vault.log.write_bytes(b"".join([*lines[:-1], last]))
    vault.ok("audit", "verify", "--chain-only", passphrase=False)
    refused(vault, "record 4 is not the one the vault anchored", options=())
    result = vault.run("run", "-s", "API_TOKEN", "--", "echo", "started", status=125)
    assert result.out == b""


def test_a_log_that_is_gone(vault):
    vault.log.unlink()
    refused(vault, "the log ends at record 0", options=())
    assert vault.run("run", "-s", "API_TOKEN", "--", "echo", "started", status=125).out == b""


def test_a_torn_tail_is_no_damage(vault):
    """What a crash leaves is kept aside, and the next record tells of it."""
    whole = vault.log.read_bytes()
    vault.log.write_bytes(whole + b'{"seq":5,"time":"2026')
    vault.check()
    vault.ok("tag", "API_TOKEN", "--add", "x")
    assert vault.log.read_bytes().startswith(whole)
    assert vault.records()[-1]["torn_bytes"] == 21
    parts = list(vault.dir.glob("audit-torn-*.part"))
    assert [part.read_bytes() for part in parts] == [b'{"seq":5,"time":"2026'] and vault.check()["ok"]


def test_an_older_vault_with_a_newer_log(vault):
    old = vault.database.read_bytes()
    vault.ok("rm", "API_TOKEN", "--yes")
    vault.ok("tag", "DATABASE_URL", "--add", "x")
    for path in vault.dir.glob("vault.db-*"):
        path.unlink()
    vault.database.write_bytes(old)
    refused(vault, "the vault is older than its audit log", options=())
    result = vault.run("run", "-s", "API_TOKEN", "--", "echo", "started", status=125)
    assert result.out == b"" and "older" in result.talk

"""audit blast-radius: what got a value, from real runs."""

import hashlib
import json
import os
import pathlib
import resource

import pytest

from audit_support import lines_of
from envseal_support import SECRETS, assert_nowhere, finish

TOKEN = SECRETS["API_TOKEN"]
TELL = ["/bin/sh", "-c", 'printf %s "$API_TOKEN"; printf "%s" "$API_TOKEN" | base64 >&2']


def radius(vault, name="API_TOKEN", *options):
    """Locked, unless an option says otherwise."""
    return vault.ok("audit", "blast-radius", name, "--json", *options).json()


def words(vault, name="API_TOKEN", *options):
    return vault.ok("audit", "blast-radius", name, *options).text


def run(vault, *program, name="API_TOKEN", **more):
    return vault.ok("run", "-s", name, "--", *program, **more)


def rows(report):
    return {os.path.basename(row["path"]): row["runs"] for row in report["programs"]}


def row_of(report, name):
    found, = [row for row in report["programs"] if os.path.basename(row["path"]) == name]
    return found


def real(name):
    return os.path.basename(os.path.realpath(name))


SH, TRUE, CAT = real("/bin/sh"), real("/bin/true"), real("/bin/cat")


def script(vault, name, text):
    path = vault.work / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_two_programs_and_three_ways(vault):
    for _ in range(2):
        run(vault, *TELL)
    run(vault, "/bin/true", name="API_TOKEN=OTHER:file")
    run(vault, "/bin/true", name="DATABASE_URL")
    vault.ok("inject", "-s", "API_TOKEN", "--", "/bin/true")
    vault.ok("pipe", "API_TOKEN", "--", "/bin/cat")
    report = radius(vault)
    assert rows(report) == {SH: 2, TRUE: 2, CAT: 1}
    records = vault.records(secret="API_TOKEN")
    shell = row_of(report, SH)
    intents = [record for record in records if record["kind"] == "run.intent" and record["argv"][0] == TELL[0]]
    assert (shell["first"], shell["last"]) == (intents[0]["time"], intents[1]["time"])
    assert shell["digest"] == hashlib.blake2b(pathlib.Path("/bin/sh").read_bytes(), digest_size=32).hexdigest()
    assert shell["actions"] == [{"action": "run", "count": 2}]
    assert shell["tiers"] == [{"tier": intents[0]["tier"], "count": 2}]
    assert shell["deliveries"] == [{"name": "API_TOKEN", "delivery": "variable", "variable": "API_TOKEN", "count": 2}]
    assert sorted((leak["form"], leak["stream"], leak["count"]) for leak in shell["leaks"]) == [
        ("base64", "stderr", 2), ("raw", "stdout", 2)]
    assert (shell["leak_total"], shell["interpreter"], shell["denied"], shell["not_started"]) == (4, None, 0, 0)
    true = row_of(report, TRUE)
    assert true["actions"] == [{"action": "run", "count": 1}, {"action": "inject", "count": 1}]
    assert [(entry["delivery"], entry["variable"]) for entry in true["deliveries"]] == [
        ("file", "OTHER"), ("variable", "API_TOKEN")]
    assert row_of(report, CAT)["deliveries"] == [
        {"name": "API_TOKEN", "delivery": "stdin", "variable": None, "count": 1}]
    assert (report["name"], report["name_now"], report["value_version"], report["notes"]) == (
        "API_TOKEN", "API_TOKEN", 1, [])
    assert report["stored"] == records[0]["time"]


def test_in_words(vault):
    run(vault, *TELL)
    vault.ok("inject", "-s", "API_TOKEN", "--", "/bin/true")
    text = words(vault)
    shell = row_of(radius(vault), SH)
    for part in (f"{shell['first']}  {shell['last']}  {shell['path']}\n", shell["digest"], "run (1)",
                 "API_TOKEN as $API_TOKEN (1)", "raw on stdout (1)", "base64 on stderr (1)",
                 "[ ] 2 programs got the value", "[ ] rotate it at its issuer",
                 "`envseal set API_TOKEN --force`", "inject does not watch output", "not checked against the vault"):
        assert part in text, text
    assert_nowhere([TOKEN], text)


def test_a_secret_that_nothing_got(vault):
    assert rows(radius(vault)) == {}
    assert "[ ] no program got the value" in words(vault)


def test_a_script_and_its_interpreter(vault):
    path = script(vault, "deploy", "#!/bin/sh\nexit 0\n")
    run(vault, path)
    row, = radius(vault)["programs"]
    assert row["path"] == str(path) and os.path.basename(row["interpreter"]["path"]) == SH
    assert row["interpreter"]["binding"] == "system"
    assert row["interpreter"]["digest"] in words(vault) and row["digest"] in words(vault)


def test_a_program_that_changed_has_two_rows(vault):
    path = script(vault, "deploy", "#!/bin/sh\nexit 0\n")
    run(vault, path)
    script(vault, "deploy", "#!/bin/sh\nexit 0\n# new\n")
    run(vault, path)
    run(vault, path)
    first, second = radius(vault)["programs"]
    assert first["path"] == second["path"] and first["digest"] != second["digest"]
    assert (first["runs"], second["runs"]) == (1, 2)


def test_a_new_value_begins_anew(vault):
    run(vault, "/bin/cat", "/dev/null")
    vault.set("API_TOKEN", b"tok-another-one-8Hq2", "--force")
    run(vault, "/bin/true")
    report = radius(vault)
    assert rows(report) == {TRUE: 1} and report["value_version"] == 2
    assert rows(radius(vault, "API_TOKEN", "--all")) == {CAT: 1, TRUE: 1}
    assert "--all" in words(vault, "API_TOKEN", "--all")
    vault.ok("rollback", "API_TOKEN")
    report = radius(vault)
    assert rows(report) == {CAT: 1} and report["notes"] == []
    assert [(row["reason"], row["count"]) for row in report["opened"]] == [("rollback", 1)]


def test_a_tag_is_no_new_value(vault):
    """The vault's time of change is later from then on."""
    run(vault, "/bin/true")
    vault.ok("tag", "API_TOKEN", "--add", "x")
    assert rows(radius(vault)) == {TRUE: 1}


def test_imported_and_confirmed_values(vault):
    (vault.work / "dotenv").write_text("API_TOKEN=imp-83hfQw72Lz\n")
    run(vault, "/bin/cat", "/dev/null")
    vault.ok("import", "dotenv", "--force")
    assert rows(radius(vault)) == {}
    run(vault, "/bin/cat", "/dev/null")
    vault.ok("set", "API_TOKEN", "--generate", "20", "--locked", "--force", passphrase=False)
    assert rows(radius(vault)) == {CAT: 1}
    vault.ok("confirm", "API_TOKEN")
    report = radius(vault)
    assert (rows(report), report["value_version"], report["notes"]) == ({}, 3, [])


def test_a_value_that_only_waits(vault):
    vault.ok("set", "LATER", "--generate", "20", "--locked", passphrase=False)
    report = radius(vault, "LATER")
    assert (report["exists"], report["value_version"], report["programs"]) == (True, None, [])
    assert "has no confirmed value" in report["notes"][0]


def test_renamed_copied_and_removed(vault):
    run(vault, "/bin/cat", "/dev/null")
    vault.ok("rename", "API_TOKEN", "team/token")
    run(vault, "/bin/true", name="team/token=T")
    vault.ok("copy", "team/token", "COPY")
    run(vault, *TELL, name="COPY=API_TOKEN")
    for name in ("API_TOKEN", "team/token", "COPY"):
        assert rows(radius(vault, name)) == {CAT: 1, TRUE: 1, SH: 1}, name
    old = radius(vault)
    assert (old["exists"], old["name_now"], old["same_value"]) == (True, "team/token", ["COPY"])
    assert "it is team/token now" in old["notes"][0]
    assert "the same value is stored as COPY" in words(vault) and "`envseal set team/token --force`" in words(vault)
    vault.ok("rm", "team/token", "--yes")
    gone = radius(vault, "team/token")
    assert (rows(gone), gone["exists"], gone["value_version"]) == ({CAT: 1, TRUE: 1, SH: 1}, False, None)
    assert "team/token was removed at" in gone["notes"][0]
    assert "`envseal set team/token`" in words(vault)
    vault.set("API_TOKEN", b"tok-another-one-8Hq2")
    assert rows(radius(vault)) == {} and radius(vault)["notes"] == []


def test_what_envseal_opened_itself(vault):
    vault.ok("redact", "-s", "API_TOKEN", input=b"it is " + TOKEN + b"\n")
    vault.ok("verify", "API_TOKEN", "--raw", input=TOKEN)
    vault.ok("show", "API_TOKEN", "--coverage", "--passphrase-file", vault.passphrase_file)
    report = radius(vault)
    opened = [(row["reason"], row["count"]) for row in report["opened"]]
    assert opened == [("redact", 1), ("verify", 1), ("coverage", 1)]
    assert report["opened"][0]["leaks"] == [{"form": "raw", "stream": "stdin", "count": 1}]
    assert report["programs"] == []
    assert "OPENED BY ENVSEAL ITSELF FOR" in words(vault) and "raw on stdin (1)" in words(vault)


def test_a_refused_run_got_nothing(vault):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "/bin/true")
    child.expect("Passphrase to approve once: ")
    child.sendintr()
    finish(child)
    row, = radius(vault)["programs"]
    assert (row["runs"], row["denied"], row["first"]) == (0, 1, None)
    assert row["denied_last"] == vault.records(kind="run.denied")[-1]["time"]
    text = words(vault)
    assert "denied       1, last at" in text and "no program got the value" in text


def test_a_program_that_cannot_start(vault):
    path = script(vault, "broken", "\x7fELF no program\n")
    vault.run("run", "-s", "API_TOKEN", "--", path, status=126)
    for row in radius(vault)["programs"]:
        assert (row["runs"], row["not_started"]) == (1, 1)
    assert "no program got the value" in words(vault)


def test_a_value_that_is_replaced_while_a_program_runs(vault):
    """What the program prints then is the old one."""
    replace = ["env", f"ENVSEAL_HOME={vault.dir}", *vault.words(["set", "API_TOKEN", "--force", "--generate", "20"])]
    run(vault, "/bin/sh", "-c", '"$@" && printf %s "$API_TOKEN"', "sh", *replace)
    assert [record["kind"] for record in vault.records()[-3:]] == ["run.intent", "secret.set", "run.outcome"]
    assert radius(vault)["programs"] == []
    assert row_of(radius(vault, "API_TOKEN", "--all"), SH)["leak_total"] == 1


def test_over_rotated_files(vault):
    run(vault, "/bin/cat", "/dev/null")
    vault.ok("audit", "rotate")
    run(vault, "/bin/true")
    vault.ok("audit", "rotate")
    run(vault, "/bin/cat", "/dev/null")
    assert rows(radius(vault)) == {CAT: 2, TRUE: 1}


# ------------------------------------------------------------------------------------------------- what cannot be told


def test_a_name_that_nobody_knows(vault):
    result = vault.run("audit", "blast-radius", "NOBODY", status=1)
    assert result.out == b"" and "there is no secret NOBODY" in result.talk


@pytest.mark.parametrize("name", ["", "-", "a b", "../x", "A\x1b[2J", "naïve", "x" * 256, "A\nB", "%s%n"])
def test_names_that_are_none(vault, name):
    result = vault.run("audit", "blast-radius", name, status=2)
    assert result.out == b"" and "\x1b" not in result.talk


@pytest.mark.parametrize("name", ["a", "0", "team/x.y-z_1/q", "secret", "prev", "x" * 128 + "/" + "y" * 126])
def test_names_that_are_tricky(vault, name):
    vault.set(name, b"tok-tricky-7Hq29xW")
    run(vault, "/bin/true", name=f"{name}=T")
    assert rows(radius(vault, name)) == {TRUE: 1}
    assert f"name     {name}\n" in words(vault, name)


def test_programs_with_tricky_names(vault):
    path = script(vault, "de\x1b[31mploy\n \u202e\\", "#!/bin/sh\nexit 0\n")
    run(vault, path, direct=True)  # of which a rule cannot be made
    for text in (words(vault), vault.ok("audit", "blast-radius", "API_TOKEN", "--json").text):
        assert all(" " <= char <= "~" or char == "\n" for char in text), text
    row, = radius(vault)["programs"]
    assert row["path"] == vault.records(kind="run.intent")[-1]["program"]["path"]


def test_without_a_vault(no_vault):
    assert "envseal init" in no_vault.run("audit", "blast-radius", "A", status=3).talk
    assert not no_vault.dir.exists()


def test_without_a_log(vault):
    vault.log.unlink()
    assert "there is no audit log yet" in vault.run("audit", "blast-radius", "API_TOKEN", status=1).talk


def test_an_altered_log_is_refused(vault):
    run(vault, "/bin/true")
    lines = lines_of(vault)
    vault.log.write_bytes(b"".join(lines).replace(b'/true"', b'/trux"', 1))
    for option in ([], ["--passphrase-file", vault.passphrase_file]):
        result = vault.run("audit", "blast-radius", "API_TOKEN", *option, status=6)
        assert result.out == b"" and "its hash does not match" in result.talk


def test_only_the_passphrase_shows_a_cut_tail(vault):
    run(vault, "/bin/true")
    key = ["--passphrase-file", vault.passphrase_file]
    report = radius(vault, "API_TOKEN", *key)
    assert report["anchor_checked"] is True and rows(report) == {TRUE: 1}
    assert "it is the one the vault anchored" in words(vault, "API_TOKEN", *key)
    vault.log.write_bytes(b"".join(lines_of(vault)[:4]))
    report = radius(vault)
    assert report["anchor_checked"] is False and report["programs"] == []
    assert "the tail was cut" in vault.run("audit", "blast-radius", "API_TOKEN", *key, status=6).talk
    vault.write_passphrase("not it at all")
    vault.run("audit", "blast-radius", "API_TOKEN", *key, status=5)


def test_it_changes_nothing(vault):
    run(vault, "/bin/true")
    before = vault.log.read_bytes()
    words(vault)
    words(vault, "API_TOKEN", "--passphrase-file", vault.passphrase_file)
    assert vault.log.read_bytes() == before


def test_a_log_that_was_accepted(vault):
    run(vault, "/bin/true")
    vault.log.unlink()
    vault.ok("audit", "accept", "--yes")
    run(vault, "/bin/cat", "/dev/null")
    report = radius(vault)
    assert rows(report) == {CAT: 1} and report["value_version"] == 1
    late, accepted = report["notes"]
    assert f"the log begins at {report['log_begins']}, what happened before is not known" in late
    assert "the log was accepted as it was at" in accepted
    assert report["stored"] == vault.ok("history", "API_TOKEN", "--json").json()["versions"][0]["stored"]


def test_a_log_that_lost_the_record_of_the_present_value(vault):
    run(vault, "/bin/true")
    lines = lines_of(vault)
    vault.set("API_TOKEN", b"tok-another-one-8Hq2", "--force")
    vault.log.write_bytes(b"".join(lines))
    vault.ok("audit", "accept", "--yes")
    notes = radius(vault)["notes"]
    assert any("the vault has version 2, the log tells of version 1 last" in note for note in notes), notes
    vault.set("API_TOKEN", b"tok-and-another-5Kx1", "--force")
    assert radius(vault)["notes"] == []


# --------------------------------------------------------------------------------------------------------------- large


MEMORY_BYTES = 48 << 20


def continued(lines, count):
    """The last two records over and over, chained on."""
    members = [line.decode().partition(",")[2].rpartition('"prev"')[0] for line in lines[-2:]]
    before = json.loads(lines[-1])["hash"]
    for number in range(count):
        body = f'{{"seq":{len(lines) + number + 1},{members[number % 2]}"prev":"{before}"'
        before = hashlib.blake2b(body.encode(), digest_size=32).hexdigest()
        yield f'{body},"hash":"{before}"}}\n'


def test_a_hundred_thousand_records_in_bounded_memory(vault, unsanitized):
    run(vault, *TELL)
    lines = lines_of(vault)
    with vault.log.open("a") as file:
        file.writelines(continued(lines, 100_000))
    assert vault.log.stat().st_size > MEMORY_BYTES
    limit = (MEMORY_BYTES, MEMORY_BYTES)
    result = vault.ok("audit", "blast-radius", "API_TOKEN", "--json", timeout=600,
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))
    row, = result.json()["programs"]
    assert (row["runs"], row["leak_total"]) == (50_001, 100_002)

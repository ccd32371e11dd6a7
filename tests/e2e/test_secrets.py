"""What is shown about secrets, and everything that names, changes, compares, confirms and removes them."""

import json
import re

import pytest

from envseal_support import PASSPHRASE, SECRETS, assert_nowhere

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
VALUE = b"val-90bT7xQe21"
OTHER = b"val-other-55Rp"


# ------------------------------------------------------------------------------------------------------ list, show, get


def test_list(vault):
    lines = vault.ok("list").text.splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "CHANGED"]
    assert [line.split()[0] for line in lines[1:]] == sorted(SECRETS)
    for line in lines[1:]:
        assert re.search(rf"\s1\s+{TIME}", line), line


def test_list_needs_no_passphrase_and_records_nothing(vault):
    before = vault.files()["audit.jsonl"]
    vault.ok("list")
    vault.ok("show", "API_TOKEN")
    vault.ok("history", "API_TOKEN")
    assert vault.files()["audit.jsonl"] == before


def test_list_json(vault):
    entries = vault.ok("list", "--json").json()["secrets"]
    assert {entry["name"] for entry in entries} == set(SECRETS)
    for entry in entries:
        assert set(entry) == {"name", "value_version", "versions", "created", "changed", "expires", "tags", "note",
            "size",
                              "weak", "pending", "expired"}
        assert entry["value_version"] == entry["versions"] == 1
        assert re.fullmatch(TIME, entry["created"]) and re.fullmatch(TIME, entry["changed"])
        assert entry["expires"] is None and entry["note"] is None and entry["tags"] == []


def test_list_by_tag(vault):
    vault.ok("tag", "API_TOKEN", "--add", "prod")
    assert [entry["name"] for entry in vault.ok("list", "--tag", "prod", "--json").json()["secrets"]] == ["API_TOKEN"]
    assert "DATABASE_URL" not in vault.ok("list", "--tag", "prod").text
    result = vault.ok("list", "--tag", "none")
    assert result.out == b"" and "no secret has" in result.talk


def test_list_of_an_empty_vault(empty):
    result = empty.ok("list")
    assert result.out == b"" and "envseal set NAME" in result.talk
    assert empty.ok("list", "--json").json()["secrets"] == []


def test_show_of_an_unknown_name(vault):
    result = vault.run("show", "NOBODY", status=1)
    assert "NOBODY" in result.talk and result.out == b""


def test_nothing_shown_holds_a_value(vault):
    for command in (["list"], ["list", "--json"], ["show", "API_TOKEN"], ["show", "API_TOKEN", "--json"],
                    ["history", "API_TOKEN", "--json"], ["audit", "show", "--json"], ["doctor", "--json"]):
        result = vault.run(*command)
        assert_nowhere(SECRETS.values(), result.out + result.err)


@pytest.mark.parametrize("name", [["API_TOKEN"], ["NOBODY"], []])
def test_get_refuses_and_helps(vault, name):
    result = vault.run("get", *name, status=4)
    assert result.out == b""
    for command in ("envseal run -s", "envseal pipe", "envseal verify"):
        assert command in result.talk
    assert (name or ["NAME"])[0] in result.talk


def test_get_cannot_be_talked_into_it(vault):
    for option in ("--json", "--force", "--raw", "--yes"):
        vault.run("get", "API_TOKEN", option, status=2)


# --------------------------------------------------------------------------------------------- rename, copy, rm and tag


def test_rename(vault):
    vault.ok("set", "API_TOKEN", "--stdin", "--force", "--tag", "prod", input=OTHER)
    found = vault.ok("rename", "API_TOKEN", "team/token", "--json").json()
    assert (found["from"], found["to"]) == ("API_TOKEN", "team/token")
    assert sorted(vault.names()) == ["DATABASE_URL", "team/deploy-key", "team/token"]
    assert vault.is_value("team/token", OTHER)
    entry = vault.entry("team/token")
    assert entry["tags"] == ["prod"] and entry["versions"] == 2
    vault.ok("rollback", "team/token")
    assert vault.is_value("team/token", SECRETS["API_TOKEN"])
    vault.run("show", "API_TOKEN", status=1)


@pytest.mark.parametrize("command, status, says", [
    (["rename", "NOBODY", "X"], 1, "NOBODY"), (["rename", "API_TOKEN", "DATABASE_URL"], 1, "DATABASE_URL"),
    (["copy", "NOBODY", "X"], 1, "NOBODY"), (["copy", "API_TOKEN", "DATABASE_URL"], 1, "DATABASE_URL"),
    (["copy", "API_TOKEN", "API_TOKEN"], 1, "API_TOKEN"), (["rm", "API_TOKEN", "NOBODY", "--yes"], 1, "NOBODY"),
    (["tag", "NOBODY", "--add", "x"], 1, "NOBODY"), (["tag", "API_TOKEN"], 2, "nothing to change"),
    (["rollback", "NOBODY"], 1, "NOBODY"), (["rollback", "API_TOKEN"], 1, "no earlier version"),
    (["rollback", "API_TOKEN", "--to", "1"], 1, "current one already"),
    (["rollback", "API_TOKEN", "--to", "9"], 1, "9"),
    (["rollback", "API_TOKEN", "--to", "0"], 2, "--to"), (["verify", "NOBODY"], 1, "NOBODY"),
    (["history", "NOBODY"], 1, "NOBODY"), (["confirm", "NOBODY"], 1, "NOBODY"),
    (["confirm", "API_TOKEN"], 1, "API_TOKEN"),
    (["confirm", "--yes"], 1, "no value waits")],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_what_cannot_be_done_changes_nothing(vault, command, status, says):
    before = vault.ok("list", "--json").out
    result = vault.run(*command, status=status)
    assert says in result.talk and result.out == b""
    assert vault.ok("list", "--json").out == before


def test_copy(vault):
    vault.ok("tag", "API_TOKEN", "--add", "prod")
    vault.ok("copy", "API_TOKEN", "COPY")
    assert vault.is_value("COPY", SECRETS["API_TOKEN"]) and vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])
    vault.ok("set", "COPY", "--stdin", "--force", input=OTHER)
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])


def test_rm(vault):
    result = vault.run("rm", "API_TOKEN", status=2)
    assert "--yes" in result.talk and len(vault.names()) == 3
    found = vault.ok("rm", "API_TOKEN", "DATABASE_URL", "--yes", "--json").json()
    assert found["removed"] == ["API_TOKEN", "DATABASE_URL"]
    assert vault.names() == ["team/deploy-key"]
    vault.set("API_TOKEN", OTHER)
    assert vault.entry("API_TOKEN")["versions"] == 1
    assert vault.is_value("API_TOKEN", OTHER)


def test_tag(vault):
    found = vault.ok("tag", "API_TOKEN", "--add", "a", "--add", "b", "--add", "a", "--json").json()
    assert found["tags"] == ["a", "b"]
    vault.ok("tag", "API_TOKEN", "--remove", "a", "--add", "c", "--note", "text", "--expires", "2199-01-31")
    entry = vault.entry("API_TOKEN")
    assert (entry["tags"], entry["note"], entry["expires"]) == (["b", "c"], "text", "2199-01-31T00:00:00Z")
    vault.ok("tag", "API_TOKEN", "--note", "", "--expires", "never")
    entry = vault.entry("API_TOKEN")
    assert (entry["tags"], entry["note"], entry["expires"]) == (["b", "c"], None, None)
    assert entry["value_version"] == 1 and vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])


# ------------------------------------------------------------------------------------------------- history and rollback


def test_history_and_rollback(empty):
    for version in range(1, 4):
        empty.set("A", VALUE + b"%d" % version, *(["--force"] if version > 1 else []))
    versions = empty.ok("history", "A", "--json").json()
    assert versions["name"] == "A"
    assert sorted((row["value_version"], row["current"]) for row in versions["versions"]) == [(1, False), (2, False),
        (3, True)]
    assert len(empty.ok("history", "A").text.splitlines()) == 3
    found = empty.ok("rollback", "A", "--json").json()
    assert found["name"] == "A" and empty.is_value("A", VALUE + b"2")
    current = [row for row in empty.ok("history", "A", "--json").json()["versions"] if row["current"]]
    assert [row["value_version"] for row in current] == [found["value_version"]]
    empty.ok("rollback", "A", "--to", "1")
    assert empty.is_value("A", VALUE + b"1")


# -------------------------------------------------------------------------------------------------------------- verify


def test_verify_answers(vault):
    value = SECRETS["API_TOKEN"]
    for candidate in (value, value + b"\n", value + b"\r\n"):
        result = vault.ok("verify", "API_TOKEN", input=candidate)
        assert result.out == b"yes\n" and result.err == b""
    for candidate in (value[:-1], value + b"x", b"", value + b"\n\n"):
        assert vault.run("verify", "API_TOKEN", input=candidate, status=1).out == b"no\n"
    result = vault.run("verify", "API_TOKEN", "--raw", input=value + b"\n")
    assert (result.status, result.out) == (1, b"no\n")


def test_verify_json(vault):
    assert vault.ok("verify", "API_TOKEN", "--json", input=SECRETS["API_TOKEN"]).json()["equal"] is True
    assert vault.run("verify", "API_TOKEN", "--json", input=b"guess", status=1).json()["equal"] is False


def test_guessing_is_stopped(vault):
    for _ in range(5):
        vault.run("verify", "API_TOKEN", input=b"guess", status=1)
    for name in ("API_TOKEN", "DATABASE_URL"):
        result = vault.run("verify", name, input=SECRETS[name], status=4)
        assert result.out == b"" and re.search(r"too many wrong answers; try again in \d+ seconds", result.talk)


# -------------------------------------------------------------------------------------------------- deposit and confirm


def test_a_deposit_waits(vault):
    result = vault.ok("set", "NEW", "--stdin", "--locked", "--note", "from ci", input=VALUE, passphrase=False)
    assert "waits to be confirmed" in result.talk and "envseal confirm NEW" in result.talk
    assert vault.entry("NEW")["pending"] is True and "[waits for confirm]" in vault.ok("list").text
    assert "waiting" in vault.ok("show", "NEW").text
    result = vault.run("run", "-s", "NEW", "--", "/bin/true", status=125, direct=True)
    assert "not confirmed" in result.talk and "envseal confirm NEW" in result.talk
    vault.ok("confirm", "NEW")
    entry = vault.entry("NEW")
    assert entry["pending"] is False and entry["value_version"] == 1 and entry["note"] == "from ci"
    assert vault.is_value("NEW", VALUE)
    assert [record["kind"] for record in vault.records(secret="NEW")][:2] == ["secret.deposit", "secret.confirm"]


def test_a_deposit_over_a_name_changes_nothing_yet(vault):
    result = vault.run("set", "API_TOKEN", "--stdin", "--locked", input=VALUE, passphrase=False, status=1)
    assert "--force" in result.talk
    vault.ok("set", "API_TOKEN", "--stdin", "--locked", "--force", input=VALUE, passphrase=False)
    assert vault.value("API_TOKEN") == SECRETS["API_TOKEN"]
    result = vault.ok("run", "-s", "API_TOKEN", "--", "/bin/true")
    assert "a newer value of API_TOKEN waits" in result.talk
    vault.ok("confirm", "API_TOKEN")
    assert vault.is_value("API_TOKEN", VALUE)
    assert vault.entry("API_TOKEN")["value_version"] == 2


def test_discard(vault):
    vault.ok("set", "NEW", "--stdin", "--locked", input=VALUE, passphrase=False)
    vault.ok("set", "API_TOKEN", "--stdin", "--locked", "--force", input=VALUE, passphrase=False)
    found = vault.ok("confirm", "--discard", "--yes", "--json").json()
    assert found["discarded"] is True and sorted(found["names"]) == ["API_TOKEN", "NEW"]
    assert sorted(vault.names()) == sorted(SECRETS)
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])


def test_confirm_all_and_asking(vault):
    for name in ("N1", "N2"):
        vault.ok("set", name, "--stdin", "--locked", input=VALUE + name.encode(), passphrase=False)
    result = vault.run("confirm", status=2)
    assert "--yes" in result.talk
    vault.ok("confirm", "--yes")
    assert vault.is_value("N1", VALUE + b"N1") and vault.is_value("N2", VALUE + b"N2")


def test_the_last_deposit_counts(vault):
    vault.ok("set", "NEW", "--stdin", "--locked", input=VALUE, passphrase=False)
    vault.ok("set", "NEW", "--stdin", "--locked", "--force", input=OTHER, passphrase=False)
    vault.ok("confirm", "NEW")
    assert vault.is_value("NEW", OTHER)


def test_weak_deposits_are_marked(vault):
    vault.run("set", "NEW", "--stdin", "--locked", input=b"abc", passphrase=False, status=2)
    vault.ok("set", "NEW", "--stdin", "--locked", "--allow-weak", input=b"abc", passphrase=False)
    vault.ok("confirm", "NEW")
    assert vault.entry("NEW")["weak"] is True


def test_everything_adds_up(vault):
    """A long life: many changes, then vault and log still verify and nothing is in the clear."""
    vault.set("LIFE", VALUE)
    vault.set("LIFE", OTHER, "--force")
    vault.ok("rename", "LIFE", "LIVES")
    vault.ok("copy", "LIVES", "LIFE")
    vault.ok("tag", "LIFE", "--add", "t")
    vault.ok("rollback", "LIVES")
    vault.ok("rm", "LIFE", "--yes")
    assert vault.is_value("LIVES", VALUE)
    report = vault.check()
    assert report["ok"] and report["anchor"] == report["records"] == len(vault.records())
    assert_nowhere([*SECRETS.values(), VALUE, OTHER, PASSPHRASE.encode()], b"".join(vault.files().values()))
    assert json.loads(vault.log.read_text().splitlines()[0])["kind"] == "vault.init"

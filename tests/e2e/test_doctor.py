"""`doctor`: every finding is a line with what it means, and the exit status says whether one is bad."""

import re

import pytest

from envseal_support import SECRETS, assert_nowhere

LINE = re.compile(r"\[(ok  |note|warn|bad )\] ([a-z][a-z-]+) +(\S.*)")
REMEDY = re.compile(r" {26}-> \S.*")


def findings(vault, *options, status=0):
    result = vault.run("doctor", "--json", *options, status=status)
    found = result.json()
    assert set(found) == {"version", "findings", "ok"} and found["ok"] is (status == 0)
    for finding in found["findings"]:
        assert set(finding) == {"id", "category", "severity", "text", "remedy"}
        assert finding["severity"] in ("ok", "note", "warn", "bad") and finding["text"]
        assert finding["severity"] in ("ok", "note") or finding["remedy"], finding
    assert (status == 0) == all(finding["severity"] != "bad" for finding in found["findings"])
    assert_nowhere(SECRETS.values(), result.out + result.err)
    by_id = {finding["id"]: finding for finding in found["findings"]}
    assert len(by_id) == len(found["findings"]), "an id is there once"
    return by_id


def with_passphrase(vault):
    return ["--passphrase-file", str(vault.passphrase_file)]


def test_text_and_json_tell_the_same(vault):
    found = findings(vault)
    lines = vault.ok("doctor").text.splitlines()
    told = [LINE.fullmatch(line) for line in lines if not REMEDY.fullmatch(line)]
    assert all(told), lines
    assert [(match[2], match[1].strip(), match[3]) for match in told] == [
        (finding["id"], finding["severity"], finding["text"]) for finding in found.values()]
    remedies = [finding["remedy"] for finding in found.values() if finding["remedy"]]
    assert [line.strip() for line in lines if REMEDY.fullmatch(line)] == [f"-> {remedy}" for remedy in remedies]


def test_without_a_vault(no_vault):
    found = findings(no_vault)
    assert found["vault"]["severity"] == "note" and "envseal init" in found["vault"]["remedy"]
    assert "audit-chain" not in found and not no_vault.dir.exists()


def test_what_the_machine_enforces(no_vault):
    found = findings(no_vault)
    for name in ("process-dumpable", "core-limit", "ptrace-scope", "memory-lock", "swap", "landlock", "seccomp",
                 "terminal", "variables", "uinput", "screen-recorder"):
        assert name in found, name
    assert found["process-dumpable"]["severity"] == found["core-limit"]["severity"] == "ok"
    assert "no controlling terminal" in found["terminal"]["text"]
    env = {"LD_PRELOAD": "/nowhere.so", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "DISPLAY": ":0"}
    assert not found["path-writable"]["text"].startswith("not known")
    assert "(" in found["vault-filesystem"]["text"]
    changed = no_vault.run("doctor", "--json", env=env).json()["findings"]
    differing = {new["id"] for old, new in zip(found.values(), changed) if old != new}
    assert {"preload", "variables", "remote", "display"} <= differing


def test_with_a_vault(vault):
    before = vault.files()
    found = findings(vault)
    assert found["vault"]["severity"] == found["audit-chain"]["severity"] == "ok"
    assert f"{len(vault.records())} records" in found["audit-chain"]["text"]
    assert "vault-verify" not in found and "secrets-weak" not in found
    assert vault.files() == before


def test_with_the_passphrase_everything_is_verified(vault):
    found = findings(vault, *with_passphrase(vault))
    assert found["vault-verify"]["severity"] == "ok" and re.search(r"all \d+ rows", found["vault-verify"]["text"])
    vault.write_passphrase("not it at all")
    assert "passphrase" in findings(vault, *with_passphrase(vault), status=1)["vault-verify"]["text"]


def test_usage(vault):
    assert "one of them" in vault.run("doctor", *with_passphrase(vault), "--passphrase-fd", "3", status=2).talk


def test_secrets_that_want_attention(vault):
    vault.set("SHORT", b"abc", "--allow-weak")
    vault.ok("set", "WAITING", "--generate", "20", "--locked")
    assert {name: found["severity"] for name, found in findings(vault).items() if name.startswith("secrets-")} == {
        "secrets-weak": "warn", "secrets-waiting": "warn"}
    found = findings(vault)
    assert found["secrets-weak"]["text"].startswith("1 of 5 secrets")
    assert found["secrets-waiting"]["text"].startswith("1 ") and "envseal confirm" in found["secrets-waiting"]["remedy"]
    vault.ok("confirm", "--yes")
    vault.ok("rm", "SHORT", "--yes")
    assert not [name for name in findings(vault) if name.startswith("secrets-")]


@pytest.mark.parametrize("path, mode", [("", 0o755), ("vault.db", 0o644), ("audit.jsonl", 0o640)])
def test_open_modes_are_bad(vault, path, mode):
    target = vault.dir / path
    target.chmod(mode)
    bad = [finding for finding in findings(vault, status=1).values() if finding["severity"] == "bad"]
    assert any("chmod" in finding["text"] for finding in bad), bad


def test_a_vault_that_is_none(vault):
    vault.database.write_bytes(b"not a database at all " * 400)
    assert findings(vault, status=1)["vault"]["severity"] == "bad"


def test_a_damaged_log(vault):
    text = vault.log.read_bytes()
    vault.log.write_bytes(text.replace(b"API_TOKEN", b"API_TOKEX", 1))
    found = findings(vault, status=1)["audit-chain"]
    assert found["severity"] == "bad" and "hash does not match" in found["text"]


def test_a_cut_log_shows_with_the_passphrase(vault):
    lines = vault.log.read_bytes().splitlines(keepends=True)
    vault.log.write_bytes(b"".join(lines[:-1]))
    assert findings(vault)["audit-chain"]["severity"] == "ok"
    found = findings(vault, *with_passphrase(vault), status=1)["vault-verify"]
    assert found["severity"] == "bad" and "the tail was cut" in found["text"]


def test_a_log_that_is_gone(vault):
    vault.log.unlink()
    found = findings(vault, status=1)
    assert found["audit-chain"]["severity"] == "bad" and "envseal audit accept" in found["audit-chain"]["remedy"]
    assert findings(vault, *with_passphrase(vault), status=1)["vault-verify"]["severity"] == "bad"


def test_a_changed_value_shows_with_the_passphrase(vault):
    data = bytearray(vault.database.read_bytes())
    at = data.rindex(b"API_TOKEN")
    data[at:at + 9] = b"API_TOKEX"
    vault.database.write_bytes(data)
    assert [finding["severity"] for finding in findings(vault, *with_passphrase(vault),
                                                        status=1).values()].count("bad") >= 1

"""`list --health` and `show --health`: what is wrong with secrets, without anything of their values."""

import hashlib
import time

import pytest

from envseal_support import SECRETS, assert_nowhere, copy_vault, finish, wait_until

GOOD = "tok-4f9Jc2LmQx81ZwPe"
OTHER = "dk_Xv3nB8yT5sRq0Ha6"
VALUES = {"CLEAN": "k9TqXe4RbW7zPm2Lc5Hd", "FIRST": GOOD, "SECOND": GOOD, "group/third": GOOD, "TEMPLATE": "<the-production-token>",
          "SHORT": "q7ZkTy2mWx9Lc4R", "REGULAR": "aabbccddeeffgghh", "TINY": "x1", "CHANGEME": "changeme"}
FINDINGS = {"FIRST": ["duplicate"], "SECOND": ["duplicate"], "group/third": ["duplicate"], "TEMPLATE": ["placeholder"],
            "SHORT": ["short"], "REGULAR": ["low-entropy"], "TINY": ["short", "weak"],
            "CHANGEME": ["placeholder", "short"]}
LINES = """\
CHANGEME                          placeholder; short
FIRST                             duplicate of SECOND, group/third
REGULAR                           low-entropy
SECOND                            duplicate of FIRST, group/third
SHORT                             short
TEMPLATE                          placeholder
TINY                              short; weak
group/third                       duplicate of FIRST, SECOND
9 secrets, 10 findings
"""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory, empty_original):
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("kinds"))
    for name, value in VALUES.items():
        vault.set(name, value, *(["--allow-weak"] if name == "TINY" else []), *(["--tag", "good"] if name == "CLEAN" else []))
    return vault


def health(vault, *words, **more):
    words = words or ("list",)
    return vault.run(*words, "--health", "--passphrase-file", vault.passphrase_file, **more)


def found(vault, *words, status=1):
    """-> ({name: findings}, the whole object)"""
    whole = health(vault, *words or ("list",), "--json", status=status).json()
    assert set(whole) == {"version", "secrets", "secret_count", "finding_count", "ok"}
    rows = {row["name"]: row["findings"] for row in whole["secrets"]}
    assert all(set(row) == {"name", "findings", "same_as", "same_as_left_out"} for row in whole["secrets"])
    assert whole["finding_count"] == sum(map(len, rows.values())) and whole["ok"] == (not rows) == (status == 0)
    return rows, whole


def test_findings_of_a_vault(kinds):
    result = health(kinds, status=1)
    assert result.text == LINES and result.talk == ""


def test_json_says_the_same(kinds):
    rows, whole = found(kinds)
    assert rows == FINDINGS and whole["secret_count"] == len(VALUES)
    same = {row["name"]: row["same_as"] for row in whole["secrets"]}
    assert same["SECOND"] == ["FIRST", "group/third"] and same["group/third"] == ["FIRST", "SECOND"] and same["SHORT"] == []


@pytest.mark.parametrize("name", VALUES)
def test_one_secret(kinds, name):
    result = health(kinds, "show", name, status=1 if name in FINDINGS else 0)
    lines = [line for line in LINES.splitlines()[:-1] if line.split()[0] == name]
    count = len(FINDINGS.get(name, []))
    assert result.text.splitlines() == lines + [f"1 secret, {count} finding{'' if count == 1 else 's'}"]
    rows, whole = found(kinds, "show", name, status=result.status)
    assert rows == {key: ids for key, ids in FINDINGS.items() if key == name} and whole["secret_count"] == 1


def test_nothing_wrong_is_a_yes(kinds):
    assert health(kinds, "list", "--tag", "good", status=0).text == "1 secret, 0 findings\n"
    assert found(kinds, "list", "--tag", "good", status=0)[0] == {}
    result = health(kinds, "list", "--tag", "nobody", status=0)
    assert result.text == "0 secrets, 0 findings\n" and "no secret has these tags" in result.talk


def test_an_empty_vault(empty):
    result = health(empty, status=0)
    assert result.text == "0 secrets, 0 findings\n" and "the vault is empty" in result.talk


def test_no_value_is_in_any_output(kinds):
    parts = [GOOD[i:i + 5].encode() for i in range(len(GOOD) - 4)] + [b"q7ZkT", b"mWx9L", b"aabbc", b"changem", b"production", b"k9TqX"]
    for words in (["list"], ["show", "FIRST"], ["show", "CHANGEME"], ["show", "TEMPLATE"], ["show", "REGULAR"]):
        for options in ([], ["--json"]):
            result = health(kinds, *words, *options)
            assert result.status == 1
            assert_nowhere(parts, result.out + result.err)
    assert_nowhere([part for part in parts if part != b"production"], kinds.log.read_bytes())


def test_the_size_is_told_as_the_bucket_has_it(empty):
    """Two values of one size bucket must look the same: a finding by size may not cut a bucket in two."""
    key = "q7ZkTy2mWx9Lc4RfHs8VbN3pJd6GuA1e"
    for length in range(8, 32):
        empty.set(f"S{length}", key[:length])
    rows = found(empty)[0]
    by_bucket = {}
    for length in range(8, 32):
        by_bucket.setdefault(empty.entry(f"S{length}")["size"], set()).add(tuple(rows.get(f"S{length}", [])))
    assert by_bucket == {"8-15": {("short",)}, "16-31": {()}}


def test_many_duplicates_are_counted(empty):
    for number in range(11):
        empty.set(f"S{number:02}", GOOD)
    rows = found(empty)[1]["secrets"]
    assert [row["same_as_left_out"] for row in rows] == [2] * 11
    assert rows[0]["same_as"] == [f"S{number:02}" for number in range(1, 9)]
    line = health(empty, "show", "S00", status=1).text.splitlines()[0]
    assert line.endswith("S07, S08 and 2 more") and "S00," not in line


def test_a_replaced_value_is_no_duplicate(vault):
    vault.set("TWIN", SECRETS["API_TOKEN"])
    assert found(vault, "show", "TWIN")[0] == {"TWIN": ["duplicate"]}
    vault.set("TWIN", OTHER + "-own", "--force")
    assert found(vault, status=0)[0] == {}


def test_expiry(vault):
    vault.ok("tag", "API_TOKEN", "--expires", "13d")
    vault.ok("tag", "team/deploy-key", "--expires", "15d")
    assert found(vault)[0] == {"API_TOKEN": ["expires-soon"]}
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    vault.ok("tag", "DATABASE_URL", "--expires", when)
    wait_until(lambda: vault.entry("DATABASE_URL")["expired"])
    assert found(vault)[0] == {"API_TOKEN": ["expires-soon"], "DATABASE_URL": ["expired"]}
    assert health(vault, "show", "DATABASE_URL", status=1).text.split()[1] == "expired"


def test_unconfirmed_values_are_named_and_not_looked_at(vault):
    vault.ok("set", "WAITING", "--stdin", "--locked", input="changeme", passphrase=False)
    vault.ok("set", "API_TOKEN", "--stdin", "--locked", "--force", input=SECRETS["DATABASE_URL"], passphrase=False)
    assert found(vault)[0] == {"WAITING": ["unconfirmed"], "API_TOKEN": ["unconfirmed"]}
    assert health(vault, "show", "WAITING", status=1).text == f"{'WAITING':32}  unconfirmed\n1 secret, 1 finding\n"
    assert "WAITING" not in vault.records(kind="secret.health")[-1]["secrets"]
    vault.ok("confirm", "--yes")
    assert found(vault)[0] == {"WAITING": ["placeholder", "short"], "API_TOKEN": ["duplicate"],
                               "DATABASE_URL": ["duplicate"]}


def test_the_opening_is_recorded_once(shared):
    """A duplicate may be anywhere, so all are opened, whichever is asked about."""
    for words in (["list"], ["show", "API_TOKEN"]):
        before = len(shared.records())
        health(shared, *words, status=0)
        records = shared.records()
        assert len(records) == before + 1 and records[-1]["kind"] == "secret.health"
        assert records[-1]["secrets"] == sorted(SECRETS) and records[-1]["secrets_left_out"] == 0
        assert records[-1]["generation"] > 0
    assert {record["kind"] for record in shared.records(secret="team/deploy-key")} >= {"secret.health"}
    shared.check()


def test_nothing_of_it_is_stored(kinds):
    """No digest of a value is kept: with one, anybody could try guesses, without the passphrase."""
    health(kinds, status=1)
    record = kinds.records(kind="secret.health")[-1]
    assert set(record) == {"seq", "time", "kind", "secrets", "secrets_left_out", "generation", "boot", "prev", "hash"}
    digests = [hashlib.blake2b(value.encode(), digest_size=32) for value in VALUES.values()]
    for data in kinds.files().values():
        assert_nowhere([digest.digest() for digest in digests] + [digest.hexdigest().encode() for digest in digests], data)


def test_the_passphrase_is_asked_for_once(shared):
    child = shared.spawn("list", "--health")
    child.expect("Passphrase: ")
    child.sendline(shared.passphrase_file.read_text().strip())
    text, status = finish(child)
    assert status == 0 and "3 secrets, 0 findings" in text and "Passphrase" not in text


def test_plain_list_needs_nothing(shared):
    before = len(shared.records())
    result = shared.run("list", "--passphrase-file", shared.passphrase_file, status=2)
    assert result.out == b"" and "--health" in result.talk
    result = shared.run("show", "API_TOKEN", "--passphrase-file", shared.passphrase_file, status=2)
    assert result.out == b"" and "--health" in result.talk
    assert len(shared.records()) == before


def test_refusals(vault, tmp_path):
    assert health(vault, "show", "NOT_THERE", status=1).out == b""
    assert health(vault, "show", "no name", status=2).out == b""
    assert vault.run("list", "--health", status=4).out == b""
    assert health(vault, "show", "API_TOKEN", "--coverage", status=2).out == b""
    wrong = tmp_path / "wrong"
    wrong.write_text("not this one\n")
    wrong.chmod(0o600)
    assert vault.run("list", "--health", "--passphrase-file", wrong, status=5).out == b""
    assert vault.records(kind="secret.health") == []


@pytest.mark.parametrize("value, warned", [
    ("changeme", True), ("<the-production-token>", True), ("postgres://app:password@db/app", True), (GOOD, False),
    ("correct horse battery staple", False)])
@pytest.mark.parametrize("options", [[], ["--locked"]])
def test_set_warns_of_a_placeholder(empty, value, warned, options):
    result = empty.set("A", value, *options, passphrase=not options)
    assert ("A looks like a placeholder" in result.talk) == warned
    assert_nowhere([value.encode()], result.out + result.err)
    if not options:
        assert empty.is_value("A", value)

"""`show --coverage`: in which forms a value is looked for."""

import pytest

from envseal_support import SECRETS, assert_nowhere, copy_vault, masked

PEM = ("-----BEGIN PRIVATE KEY-----\n" + "q7ZkTy2mWx9Lc4Rf" * 4 + "\n" + "Hs8VbN3pJd6GuA1e" * 4 +
       "\n-----END PRIVATE KEY-----\n")
VALUES = {"PLAIN": "tok-4f9Jc2LmQx81ZwPe", "WEAK": "x1", "PEM": PEM, "DOCUMENT": '{"key": "leaf-value-8c1f\\n2"}',
          "LINK": "https://user:p%40ssw0rd-77@host/", "UNIFORM": "aaaaaaaaaaaaaaaa"}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory, empty_original):
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("kinds"))
    for name, value in VALUES.items():
        vault.set(name, value, *(["--allow-weak"] if name in ("WEAK", "UNIFORM") else []))
    return vault


def coverage(vault, name, *options, **more):
    return vault.run("show", name, "--coverage", "--passphrase-file", vault.passphrase_file, *options, **more)


def forms(vault, name):
    found = coverage(vault, name, "--json", status=0).json()
    assert set(found) == {"version", "name", "forms"} and found["name"] == name
    return {row["form"]: row for row in found["forms"]}


def test_every_form_is_there_once(kinds):
    rows = coverage(kinds, "PLAIN", "--json", status=0).json()["forms"]
    names = [row["form"] for row in rows]
    assert len(names) == len(set(names)) and names[0] == "raw"
    assert {"base64", "base64url", "base32", "hex", "HEX", "percent", "json", "c", "shell", "xml", "utf16le", "utf16be",
            "reversed", "octal", "words", "dump", "pem", "leaf", "url", "line"} <= set(names)


@pytest.mark.parametrize("name", VALUES)
def test_a_form_is_watched_or_has_a_reason(kinds, name):
    for row in forms(kinds, name).values():
        assert set(row) == {"form", "watched", "needles", "reason", "weak"}
        assert row["watched"] == (row["needles"] > 0) == (row["reason"] is None)


def test_what_is_watched_is_masked(kinds):
    """For two forms, by hand: the table is about the same redaction."""
    watched = {form for form, row in forms(kinds, "PLAIN").items() if row["watched"]}
    assert {"raw", "hex", "reversed"} <= watched and not {"pem", "leaf", "url", "line"} & watched
    value = VALUES["PLAIN"]
    result = kinds.ok("redact", "-s", "PLAIN", "-q", input=f"{value} {value.encode().hex()} {value[::-1]}")
    assert result.text == " ".join([masked("PLAIN"), masked("PLAIN", "hex"), masked("PLAIN", "reversed")])


def test_structure(kinds):
    assert forms(kinds, "PEM")["pem"]["watched"] and not forms(kinds, "PLAIN")["pem"]["watched"]
    assert forms(kinds, "DOCUMENT")["leaf"]["watched"] and not forms(kinds, "PEM")["leaf"]["watched"]
    assert forms(kinds, "LINK")["url"]["watched"] and not forms(kinds, "DOCUMENT")["url"]["watched"]


def test_weak_values(kinds):
    for name in ("WEAK", "UNIFORM"):
        rows = forms(kinds, name)
        assert rows["raw"]["watched"] and rows["raw"]["weak"]
        assert all(row["weak"] is None for form, row in rows.items() if form != "raw")
    assert forms(kinds, "PLAIN")["raw"]["weak"] is None
    raw = [line for line in coverage(kinds, "WEAK", status=0).text.splitlines() if line.startswith("raw ")]
    assert raw == ["raw              1  only where it stands alone as a word: it is shorter than 8 bytes"]


def test_the_table_says_the_same(kinds):
    lines = coverage(kinds, "LINK", status=0).text.splitlines()
    assert lines[0].split() == ["FORM", "NEEDLES"]
    for line, row in zip(lines[1:], forms(kinds, "LINK").values(), strict=True):
        words = line.split()
        assert words[:2] == [row["form"], str(row["needles"])]
        assert line.endswith(f"not watched: {row['reason']}") if row["reason"] else len(words) == 2


@pytest.mark.parametrize("name, parts", [
    ("PLAIN", ["tok-4f", "9Jc2L", "x81Zw"]), ("PEM", ["q7ZkTy", "Hs8VbN"]), ("DOCUMENT", ["leaf-v", "8c1f"]),
    ("LINK", ["p%40", "ssw0rd", "rd-77"]), ("UNIFORM", ["aaa"])])
def test_the_value_is_not_in_it(kinds, name, parts):
    assert all(part in VALUES[name] for part in parts)
    for options in ([], ["--json"]):
        result = coverage(kinds, name, *options, status=0)
        assert_nowhere([part.encode() for part in parts], result.out + result.err)


def test_the_opening_is_recorded(kinds):
    coverage(kinds, "PLAIN", status=0)
    record = kinds.records(kind="secret.coverage")[-1]
    assert record["secret"] == "PLAIN" and record["generation"] > 0
    kinds.check()


def test_plain_show_needs_nothing_and_records_nothing(shared):
    before = len(shared.records())
    result = shared.run("show", "API_TOKEN", passphrase=False, status=0)
    assert "name       API_TOKEN" in result.text and "base64" not in result.text
    assert len(shared.records()) == before
    result = shared.run("show", "API_TOKEN", "--passphrase-file", shared.passphrase_file, status=2)
    assert result.out == b"" and "--coverage" in result.talk


def test_refusals(vault, tmp_path):
    before = len(vault.records(kind="secret.coverage"))
    assert coverage(vault, "NOT_THERE", status=1).out == b""
    assert coverage(vault, "no name", status=2).out == b""
    assert vault.run("show", "API_TOKEN", "--coverage", status=4).out == b""
    wrong = tmp_path / "wrong"
    wrong.write_text("not this one\n")
    wrong.chmod(0o600)
    assert vault.run("show", "API_TOKEN", "--coverage", "--passphrase-file", wrong, status=5).out == b""
    vault.ok("set", "WAITING", "--stdin", "--locked", input="a-waiting-value-1", passphrase=False)
    assert coverage(vault, "WAITING", status=4).out == b""
    assert len(vault.records(kind="secret.coverage")) == before
    assert_nowhere(SECRETS.values(), vault.log.read_bytes())

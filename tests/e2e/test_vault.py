"""Making a vault, storing values, and where the passphrase comes from."""

import os
import re
import stat

import pytest

from envseal_support import PASSPHRASE, SECRETS, Vault, assert_nowhere

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
VALUE = b"val-90bT7xQe21"
OTHER = b"val-other-55Rp"
MIB = 1 << 20


# ---------------------------------------------------------------------------------------------------------------- init


def test_init_makes_private_files(no_vault):
    result = no_vault.init()
    assert result.out == b"" and "passphrase strength: 4 of 4" in result.talk
    assert stat.S_IMODE(no_vault.dir.stat().st_mode) == 0o700
    for name in ("vault.db", "audit.jsonl"):
        assert stat.S_IMODE((no_vault.dir / name).stat().st_mode) == 0o600, name
    assert no_vault.names() == []
    assert [record["kind"] for record in no_vault.records()] == ["vault.init"]
    assert no_vault.check()["ok"]


def test_init_is_private_whatever_the_umask(no_vault):
    no_vault.ok("init", "--pwhash", "interactive", umask=0)
    for path in [no_vault.dir, *no_vault.dir.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_init_json(no_vault):
    found = no_vault.ok("init", "--pwhash", "interactive", "--json").json()
    assert found["score"] == 4 and found["guesses_log10"] > 10


def test_init_again_is_refused_and_changes_nothing(vault):
    before = vault.files()
    result = vault.run("init", "--pwhash", "interactive", status=1)
    assert "there is a vault already" in result.talk and "envseal set" in result.talk
    assert vault.files() == before


def test_init_refuses_a_weak_passphrase(no_vault):
    no_vault.write_passphrase("password1")
    result = no_vault.run("init", "--pwhash", "interactive", status=2)
    assert "the passphrase is weak" in result.talk and "--allow-weak" in result.talk
    assert not no_vault.database.exists()
    no_vault.ok("init", "--pwhash", "interactive", "--allow-weak")
    assert no_vault.names() == []


def test_init_with_a_costlier_preset(no_vault):
    no_vault.ok("init", "--pwhash", "moderate")
    no_vault.set("A_NAME", VALUE)


def test_init_unknown_preset(no_vault):
    result = no_vault.run("init", "--pwhash", "cheap", status=2)
    assert "interactive" in result.talk and not no_vault.database.exists()


def test_init_measures_when_no_preset_is_given(no_vault):
    no_vault.ok("init")
    no_vault.set("A_NAME", VALUE)


def test_files_lie_where_xdg_says(tmp_path):
    vault = Vault(tmp_path, home_variable=False)
    vault.init()
    assert (vault.home / ".local/share/envseal/vault.db").is_file()
    assert (vault.home / ".local/state/envseal/audit.jsonl").is_file()
    env = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}
    vault.ok("init", "--pwhash", "interactive", env=env)
    assert (tmp_path / "data/envseal/vault.db").is_file()
    assert (tmp_path / "state/envseal/audit.jsonl").is_file()
    # The specification says that relative paths are to be ignored.
    vault.run("init", "--pwhash", "interactive", env={"XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state"}, status=1)


def test_a_relative_home_is_refused(no_vault):
    result = no_vault.run("list", env={"ENVSEAL_HOME": "vault"}, status=2)
    assert "absolute" in result.talk
    result = no_vault.run("list", env={"ENVSEAL_HOME": None, "HOME": None}, status=2)
    assert "HOME is not set" in result.talk and "ENVSEAL_HOME" in result.talk


@pytest.mark.parametrize("command", [
    ["list"], ["show", "A"], ["history", "A"], ["set", "A", "--generate", "20"],
    ["set", "A", "--generate", "20", "--locked"],
    ["rename", "A", "B"], ["copy", "A", "B"], ["rm", "A", "--yes"], ["tag", "A", "--add", "x"], ["rollback", "A"],
    ["verify", "A"], ["confirm", "A"], ["confirm", "--yes"]], ids=" ".join)
def test_without_a_vault(no_vault, command):
    result = no_vault.run(*command, status=3)
    assert "envseal init" in result.talk
    assert not no_vault.dir.exists() or not any(no_vault.dir.iterdir())


# ----------------------------------------------------------------------------------------------------------------- set


def test_set_says_what_it_did(empty):
    result = empty.ok("set", "A_NAME", "--stdin", input=VALUE)
    assert result.out == b"" and result.talk == "envseal: A_NAME is stored, version 1\n"
    assert empty.is_value("A_NAME", VALUE)
    assert_nowhere([VALUE], b"".join(empty.files().values()))


def test_set_json(empty):
    assert empty.ok("set", "A", "--stdin", "--json", input=VALUE).json() == {
        "version": 1, "name": "A", "value_version": 1, "locked": False}
    assert empty.ok("set", "B", "--stdin", "--json", "--locked", input=VALUE).json()["locked"] is True


@pytest.mark.parametrize("given, kept, trimmed", [
    (VALUE, VALUE, False), (VALUE + b"\n", VALUE, True), (VALUE + b"\r\n", VALUE, True),
    (VALUE + b"\n\n", VALUE + b"\n", True),
    (VALUE + b"\r", VALUE + b"\r", False), (b"\n" + VALUE, b"\n" + VALUE, False)], ids=repr)
def test_one_trailing_newline_is_trimmed(empty, given, kept, trimmed):
    result = empty.ok("set", "A", "--stdin", input=given)
    assert ("one trailing newline was trimmed (--raw keeps it)" in result.talk) == trimmed
    assert empty.value("A") == kept
    result = empty.ok("set", "B", "--stdin", "--raw", input=given)
    assert "trimmed" not in result.talk
    assert empty.value("B") == given


def test_set_from_a_file(empty):
    path = empty.work / "value"
    path.write_bytes(VALUE + b"\n")
    empty.ok("set", "A", "--file", path)
    assert empty.value("A") == VALUE
    empty.ok("set", "A", "--file", path, "--raw", "--force")
    assert empty.value("A") == VALUE + b"\n"


@pytest.mark.parametrize("path, status", [("missing", 1), (".", 1)])
def test_set_from_no_file(empty, path, status):
    result = empty.run("set", "A", "--file", path, status=status)
    assert path in result.talk and empty.names() == []


@pytest.mark.parametrize("count", [8, 40, 4096])
def test_set_generates(empty, count):
    empty.ok("set", "A", "--generate", str(count))
    first = empty.value("A")
    assert re.fullmatch(rb"[A-Za-z0-9]{%d}" % count, first)
    empty.ok("set", "A", "--generate", str(count), "--force")
    assert empty.value("A") != first


@pytest.mark.parametrize("count", ["7", "4097", "0", "-1", "x", "", "99999999999999999999"])
def test_set_generates_within_limits(empty, count):
    result = empty.run("set", "A", f"--generate={count}", status=2)
    assert "--generate" in result.talk and empty.names() == []


@pytest.mark.parametrize("options",
    [["--stdin", "--file", "x"], ["--stdin", "--generate", "9"], ["--file=x", "--generate=9"]])
def test_set_takes_one_source(empty, options):
    result = empty.run("set", "A", *options, status=2)
    assert "give one of them" in result.talk


def test_set_takes_no_value_as_argument(empty):
    result = empty.run("set", "A", "value-on-the-line", status=2)
    assert "envseal set --help" in result.talk and "value-on-the-line" not in result.talk


@pytest.mark.parametrize("value", [
    b"\0", b"\xff\xfe\0\n\r\0" * 3, bytes(range(256)), b"12345678", b"x\ny\nz\n0123", "grüße—日本語".encode(),
    b"$(id) `id` ${HOME}\\n'\"",
    b"[ENVSEAL:REDACTED A]"], ids=lambda value: repr(value[:12]))
def test_values_come_out_as_they_went_in(empty, value):
    empty.set("A", value, "--allow-weak")
    assert empty.value("A") == value
    assert empty.is_value("A", value) and not empty.is_value("A", value + b"x")


@pytest.mark.parametrize("size", [1, 7, 8, 65535, 65536, 65537, MIB])
def test_sizes(empty, size):
    value = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    empty.set("A", value, "--allow-weak")
    assert empty.value("A") == value


@pytest.mark.parametrize("size, bucket",
    [(1, "1-7"), (7, "1-7"), (8, "8-15"), (15, "8-15"), (16, "16-31"), (32, "32-63"),
                                          (64, "64-255"), (256, "256-4095"), (4095, "256-4095"), (4096, "4096+")])
def test_the_size_shows_as_a_bucket_only(empty, size, bucket):
    empty.set("A", (b"0123456789abcdef" * 256)[:size], "--allow-weak")
    assert empty.entry("A")["size"] == bucket


@pytest.mark.parametrize("options", [["--stdin", "--raw"], ["--file", "big", "--raw"]])
def test_more_than_a_mebibyte_is_refused(empty, options):
    value = b"0123456789abcdef" * (MIB // 16) + b"x"
    (empty.work / "big").write_bytes(value)
    result = empty.run("set", "A", *options, input=value, status=2)
    assert "1048576" in result.talk and empty.names() == []


@pytest.mark.parametrize("value, options",
    [(b"", []), (b"\n", []), (b"\r\n", []), (b"", ["--raw"]), (b"", ["--allow-weak"])])
def test_an_empty_value_is_refused(empty, value, options):
    result = empty.run("set", "A", "--stdin", *options, input=value, status=2)
    assert "the value of A is empty" in result.talk and empty.names() == []


@pytest.mark.parametrize("value", [b"s3cRt", b"1234567", b"aaaaaaaaaaaaaaaa", b"abcabcabcabcabc"])
def test_a_weak_value_is_refused(empty, value):
    result = empty.run("set", "A", "--stdin", input=value, status=2)
    assert "weak" in result.talk and "--allow-weak" in result.talk and empty.names() == []
    assert value not in result.err
    result = empty.ok("set", "A", "--stdin", "--allow-weak", input=value)
    assert "masked only where it stands alone" in result.talk
    assert empty.entry("A")["weak"] is True
    assert "weak" in empty.ok("show", "A").text and "[weak]" in empty.ok("list").text


def test_an_existing_name_wants_force(vault):
    result = vault.run("set", "API_TOKEN", "--stdin", input=OTHER, status=1)
    assert "exists already" in result.talk and "--force" in result.talk
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])
    result = vault.ok("set", "API_TOKEN", "--stdin", "--force", input=OTHER)
    assert "version 2" in result.talk
    assert vault.is_value("API_TOKEN", OTHER)


@pytest.mark.parametrize("name", ["A", "a.b_c-d", "0", "team/a/b/c", "x" * 128, "/".join(["y" * 20] * 5), "A/1"])
def test_names(empty, name):
    empty.set(name, VALUE)
    assert empty.names() == [name] and empty.is_value(name, VALUE)


@pytest.mark.parametrize("name",
    ["", "-", ".a", "/a", "a/", "a//b", "a b", "a=b", "a:b", "ä", "a\nb", "x" * 129, "a/.b", "../a",
                                  "\x1b[31m", "_a", "a;b"])
def test_bad_names(empty, name):
    for command in (["set", name, "--generate", "20"], ["show", name], ["rename", "A", name]):
        result = empty.run(*command)
        assert result.status == 2, result
        assert "\x1b" not in result.talk
    assert empty.names() == []


def test_tags_note_and_expiry(empty):
    note = "tab\there, \x1b[31mred, \"quotes\" \\ und ümläut"
    empty.ok("set", "A", "--stdin", "--tag", "prod", "--tag=team:x", "--note", note, "--expires", "2199-01-31",
        input=VALUE)
    entry = empty.entry("A")
    assert entry["tags"] == ["prod", "team:x"] and entry["expires"] == "2199-01-31T00:00:00Z"
    assert entry["expired"] is False and entry["pending"] is False and entry["weak"] is False
    for text in (empty.ok("show", "A").text, empty.ok("list").text, entry["note"]):
        assert "\x1b" not in text
    assert "und" in entry["note"] and "prod" in empty.ok("list").text
    shown = empty.ok("show", "A").text
    assert "2199-01-31T00:00:00Z" in shown and "prod,team:x" in shown and "8-15 bytes" in shown


@pytest.mark.parametrize("when, like", [("90d", TIME), ("30m", TIME), ("2199-12-31T23:59:59Z", "2199-12-31T23:59:59Z")])
def test_expiry_forms(empty, when, like):
    empty.set("A", VALUE, "--expires", when)
    assert re.fullmatch(like, empty.entry("A")["expires"])


@pytest.mark.parametrize("when", ["yesterday", "2001-01-01", "2199-02-30", "0d", "5y", "", "12"])
def test_bad_expiry(empty, when):
    result = empty.run("set", "A", "--generate", "20", f"--expires={when}", status=2)
    assert "--expires" in result.talk and empty.names() == []


@pytest.mark.parametrize("option, says", [("--tag=a b", "tag"), ("--tag=", "tag"), ("--tag=" + "x" * 65, "tag"),
                                          ("--note=" + "x" * 2000, "note")])
def test_bad_metadata(empty, option, says):
    result = empty.run("set", "A", "--generate", "20", option, status=2)
    assert says in result.talk and empty.names() == []


def test_force_keeps_metadata_that_was_not_given(empty):
    empty.set("A", VALUE, "--tag", "prod", "--note", "why", "--expires", "2199-01-31")
    empty.set("A", OTHER, "--force")
    entry = empty.entry("A")
    assert (entry["tags"], entry["note"], entry["expires"]) == (["prod"], "why", "2199-01-31T00:00:00Z")
    assert entry["value_version"] == 2 and entry["versions"] == 2


# ------------------------------------------------------------------------------------------------- passphrase elsewhere


def test_a_wrong_passphrase_is_refused_and_recorded(vault):
    vault.write_passphrase("not the passphrase")
    before = vault.ok("list", "--json").out
    result = vault.run("set", "B", "--generate", "20", status=5)
    assert "passphrase" in result.talk and "not the passphrase" not in result.talk
    assert vault.ok("list", "--json").out == before
    assert vault.records()[-1]["kind"] == "unlock.failed"
    vault.write_passphrase(PASSPHRASE)
    vault.ok("set", "B", "--generate", "20")


@pytest.mark.parametrize("text", [PASSPHRASE, PASSPHRASE + "\n", PASSPHRASE + "\r\n", PASSPHRASE + "\nmore lines\n"])
def test_the_first_line_of_a_descriptor(vault, text):
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    vault.ok("tag", "API_TOKEN", "--add", "x", "--passphrase-fd", str(read), passphrase=False, pass_fds=[read])
    os.close(read)


def test_a_descriptor_that_is_not_open(vault):
    result = vault.run("tag", "API_TOKEN", "--add", "x", "--passphrase-fd", "77", passphrase=False, status=2)
    assert "descriptor 77" in result.talk


@pytest.mark.parametrize("text, says", [(b"", "empty"), (b"\n", "empty"), (b"x" * 5000, "longer")])
def test_no_usable_passphrase(vault, text, says):
    vault.passphrase_file.write_bytes(text)
    result = vault.run("tag", "API_TOKEN", "--add", "x", status=2)
    assert says in result.talk


def test_a_passphrase_file_must_be_private(vault):
    vault.passphrase_file.chmod(0o640)
    result = vault.run("tag", "API_TOKEN", "--add", "x", status=4)
    command = re.search(r"mend it with: (.*)", result.talk)[1]
    assert os.system(command) == 0
    vault.ok("tag", "API_TOKEN", "--add", "x")


def test_a_passphrase_file_that_is_none(vault):
    vault.passphrase_file.unlink()
    assert "cannot open the passphrase file" in vault.run("tag", "API_TOKEN", "--add", "x", status=2).talk
    vault.passphrase_file.mkdir(0o700)
    assert "not a regular file" in vault.run("tag", "API_TOKEN", "--add", "x", status=4).talk


def test_two_ways_to_the_passphrase_are_one_too_many(vault):
    result = vault.run("tag", "API_TOKEN", "--add", "x", "--passphrase-fd", "0", status=2)
    assert "give one of them" in result.talk


@pytest.mark.parametrize("command", [["set", "A", "--stdin"], ["verify", "API_TOKEN"]], ids=" ".join)
def test_standard_input_cannot_be_both(vault, command):
    result = vault.run(*command, "--passphrase-fd", "0", input=PASSPHRASE, passphrase=False, status=2)
    assert "another descriptor" in result.talk


def test_a_passphrase_in_the_environment_is_not_taken(vault):
    env = {"ENVSEAL_PASSPHRASE": PASSPHRASE, "PASSPHRASE": PASSPHRASE}
    vault.run("tag", "API_TOKEN", "--add", "x", passphrase=False, env=env, status=4)

"""From a dotenv file to a vault and a manifest, and from the manifest to a run."""

import os
import re
import stat
import subprocess

import pytest

from envseal_support import SECRETS, assert_nowhere

FILE = """# settings
PORT=3000
DATABASE_URL=postgres://u:correct-horse-77@db/x
STRIPE_KEY=not-a-real-key-8f2b61d04c95e37a60
NODE_OPTIONS=--inspect
"""
VALUES = [b"postgres://u:correct-horse-77@db/x", b"not-a-real-key-8f2b61d04c95e37a60"]


def write(vault, text=FILE, name=".env"):
    path = vault.work / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def manifest(vault):
    return (vault.work / ".envseal").read_text()


def choices(vault, *options, **more):
    found = vault.run("import", ".env", "--dry-run", "--json", *options, passphrase=False, status=0, **more).json()
    return {line["variable"]: line["choice"] for line in found["lines"]}


# ----------------------------------------------------------------------------------------------------- the whole course


def test_import_shows_each_line(empty):
    write(empty)
    result = empty.ok("import", ".env")
    assert re.search(r"^ +2  PORT +plain setting, into the manifest$", result.text, re.MULTILINE)
    assert re.search(r"^ +3  DATABASE_URL +secret DATABASE_URL$", result.text, re.MULTILINE)
    assert re.search(r"^ +5  NODE_OPTIONS +left out: it steers code", result.text, re.MULTILINE)
    assert "2 stored, 0 unchanged, 1 plain, 1 left out" in result.talk and "still holds the values" in result.talk
    assert_nowhere(VALUES, result.out + result.err)
    assert manifest(empty) == 'PORT="3000"\nDATABASE_URL=DATABASE_URL\nSTRIPE_KEY=STRIPE_KEY\n'
    assert (empty.work / ".env").read_text() == FILE
    assert stat.S_IMODE((empty.work / ".envseal").stat().st_mode) == 0o644
    for name, value in zip(["DATABASE_URL", "STRIPE_KEY"], VALUES):
        assert empty.is_value(name, value)
    record = empty.records(kind="import")[0]
    assert record["secrets"] == ["DATABASE_URL", "STRIPE_KEY"]


def test_a_second_import_changes_nothing(empty):
    write(empty)
    empty.ok("import", ".env")
    before = empty.entry("STRIPE_KEY"), manifest(empty)
    result = empty.ok("import", ".env")
    assert "0 stored, 2 unchanged, 1 plain, 1 left out" in result.talk
    assert (empty.entry("STRIPE_KEY"), manifest(empty)) == before


def test_dry_run_needs_no_passphrase_and_changes_nothing(empty):
    path = write(empty)
    before = empty.files()
    result = empty.ok("import", ".env", "--dry-run", "--rewrite", passphrase=False)
    assert "nothing was changed (--dry-run)" in result.talk and "secret STRIPE_KEY" in result.text
    assert empty.files() == before and path.read_text() == FILE and not (empty.work / ".envseal").exists()


def test_rewrite_turns_the_file_into_the_manifest(empty):
    path = write(empty, FILE.replace("NODE_OPTIONS=--inspect\n", ""))
    result = empty.ok("import", ".env", "--rewrite")
    assert "now the manifest .envseal" in result.talk and "git history" in result.talk
    assert not path.exists()
    result = empty.ok("run", "--", "sh", "-c", 'echo "$PORT $DATABASE_URL"')
    assert result.text == "3000 [ENVSEAL:REDACTED DATABASE_URL]\n"


def test_rewrite_leaves_what_was_left_out(empty):
    path = write(empty, FILE + "PATH='/opt/bin:/usr/bin'\nexport PAGER=\"less -R\"\n")
    result = empty.ok("import", ".env", "--rewrite")
    assert "now holds only what was left out" in result.talk
    assert path.read_text() == "NODE_OPTIONS=--inspect\nPATH='/opt/bin:/usr/bin'\nPAGER=\"less -R\"\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_json(empty):
    write(empty)
    found = empty.ok("import", ".env", "--json").json()
    assert found["ok"] is True and found["stored"] == 2
    assert found["manifest_written"] is True and found["problems"] == []
    line = {"line": 4, "variable": "STRIPE_KEY", "choice": "secret", "secret": "STRIPE_KEY", "weak": False}
    assert line in found["lines"]


# ------------------------------------------------------------------------------------------------------ what files hold


@pytest.mark.parametrize("text, value", [
    (b"K=plain-value-1234", b"plain-value-1234"), (b"K=plain-value-1234\n", b"plain-value-1234"),
    (b"\xef\xbb\xbfK=behind-a-mark-12\r\n", b"behind-a-mark-12"), (b"export K=exported-val-12\n", b"exported-val-12"),
    (b"export\tK = spaced-value-12 \t\n", b"spaced-value-12"), (b"  K=indented-val-12\n", b"indented-val-12"),
    (b"K='single $X \\n quoted-77'\n", b"single $X \\n quoted-77"),
    (b'K="double \\"q\\" \\n \\\\ \\$X-77"\n', b'double "q" \n \\ $X-77'),
    (b"K=`back 'tick' quoted-77`\n", b"back 'tick' quoted-77"),
    (b'K="$NOT_EXPANDED-${x}-77"\n', b"$NOT_EXPANDED-${x}-77"),
    (b"K=with#hash#inside77\n", b"with#hash#inside77"), (b"K=before-comment77 # comment\n", b"before-comment77"),
    (b"K='before-comment77'   # comment\n", b"before-comment77"), (b"K='# no comment 77'\n", b"# no comment 77"),
    (b'K="line-one-77\nline-two-88\n\nend"\nX=1\n', b"line-one-77\nline-two-88\n\nend"),
    (b'K="crlf-one-77\r\ncrlf-two-88"\r\n', b"crlf-one-77\ncrlf-two-88"), (b"K=a=b==c-value-77\n", b"a=b==c-value-77"),
    (b"K=first-value-11\nK=second-value-22\n", b"second-value-22"), (b"K='blanks kept 77   '\n", b"blanks kept 77   "),
    ("K=gr\u00fc\u00dfe-und-mehr-77\n".encode(), "gr\u00fc\u00dfe-und-mehr-77".encode()),
    (b"K=\xff\xfe-bytes-77\n", b"\xff\xfe-bytes-77"),
    (b"\n\n# c\n\nK=late-value-1234\n#", b"late-value-1234")], ids=lambda text: repr(text)[2:30])
def test_dotenv_forms(empty, text, value):
    write(empty, text)
    empty.ok("import", ".env", "--secret", "K", "--rewrite")
    assert empty.value("K") == value
    assert empty.ok("run", "--", "sh", "-c", "echo ${K+given}").text == "given\n"


@pytest.mark.parametrize("bad, column, says", [
    (b"nothing here\n", 1, "="), (b"A-B=x\n", 2, "letters"), (b"1A=x\n", 1, ""), (b"=x\n", 1, ""), (b"A: x\n", 1, "="),
    (b'A="open\n', 3, "not closed"), (b"A='x' y\n", 7, "behind the closing quote"), (b"A=x\0y\n", 4, "NUL"),
    (b"A=x\ry\n", 4, "carriage return"), (b"export\n", 1, "")], ids=lambda text: repr(text)[:20])
def test_a_line_that_cannot_be_read(empty, bad, column, says):
    text = b"OK=fine-value-1234\n" + bad + b"AFTER=fine-value-5678\n"
    path = write(empty, text)
    before = empty.files()
    result = empty.run("import", ".env", "--rewrite", status=2)
    line = [line for line in result.talk.splitlines() if line.startswith(".env:")]
    assert len(line) == 1 and re.match(rf"\.env:2:\d+: ", line[0]) and says in line[0], result
    assert "nothing was changed" in result.talk
    assert_nowhere([b"fine-value"], result.out + result.err)
    assert empty.files() == before and path.read_bytes() == text and not (empty.work / ".envseal").exists()


def test_every_bad_line_is_named(empty):
    write(empty, "A=1\nbad\nB=2\nworse one\n\nC='open\n")
    result = empty.run("import", ".env", status=2)
    assert re.findall(r"^\.env:(\d+):", result.talk, re.MULTILINE) == ["2", "4", "6"]
    assert "3 lines" in result.talk
    found = empty.run("import", ".env", "--json", status=2)
    problems = found.json()["problems"]
    assert [problem["line"] for problem in problems] == [2, 4, 6] and found.json()["ok"] is False


@pytest.mark.parametrize("text", [b"", b"\n", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_a_file_without_assignments(empty, text):
    write(empty, text)
    result = empty.ok("import", ".env")
    assert "0 stored" in result.talk and empty.names() == []


def test_utf16_is_named(empty):
    write(empty, "K=some-value-1234\n".encode("utf-16"))
    assert "UTF-16" in empty.run("import", ".env", status=2).talk


@pytest.mark.parametrize("make, status",
    [(lambda path: None, 1), (lambda path: path.mkdir(), 2), (lambda path: os.mkfifo(path), 2)])
def test_no_file(empty, make, status):
    make(empty.work / ".env")
    assert ".env" in empty.run("import", ".env", status=status).talk


def test_a_file_elsewhere(empty, tmp_path):
    folder = tmp_path / "else where"
    folder.mkdir()
    (folder / "prod.env").write_text(FILE)
    empty.ok("import", folder / "prod.env")
    assert "STRIPE_KEY=STRIPE_KEY" in (folder / ".envseal").read_text()


# --------------------------------------------------------------------------------------------------- choices, overruled


def test_what_looks_like_what(empty):
    write(empty, "PORT=8080\nDEBUG=true\nLOG_LEVEL=info\nHOST=localhost\nAPI_URL=https://api.example.com/v1\nEMPTY=\n"
                 "DB_URL=postgres://u:pw-9917@h/d\nTOKEN=abcdef\nPASSWORD=hunter2hunter2\n"
                 "X=9f8b7c6d5e4f3a2b1c0d\nPATH=/x\n")
    assert choices(empty, "--allow-weak") == {
        "PORT": "plain", "DEBUG": "plain", "LOG_LEVEL": "plain", "HOST": "plain", "API_URL": "plain", "EMPTY": "plain",
        "DB_URL": "secret", "TOKEN": "secret", "PASSWORD": "secret", "X": "secret", "PATH": "left-out"}


def test_overruling(empty):
    write(empty)
    found = choices(empty, "--plain", "DATABASE_URL", "--secret", "PORT", "--allow-weak")
    assert found["DATABASE_URL"] == "plain" and found["PORT"] == "secret"
    result = empty.run("import", ".env", "--plain", "NOT_THERE", status=2)
    assert "NOT_THERE" in result.talk
    empty.ok("import", ".env", "--plain", "DATABASE_URL")
    assert f'DATABASE_URL="{VALUES[0].decode()}"' in manifest(empty)


def test_one_variable_cannot_be_both(empty):
    write(empty)
    result = empty.run("import", ".env", "--plain", "STRIPE_KEY", "--secret", "STRIPE_KEY", status=2)
    assert "STRIPE_KEY" in result.talk and empty.names() == []


def test_weak_values(empty):
    write(empty, "PASSWORD=short1\n")
    result = empty.run("import", ".env", status=2)
    assert "line 1" in result.talk and "--plain PASSWORD" in result.talk and "--allow-weak" in result.talk
    assert "short1" not in result.talk and empty.names() == []
    empty.ok("import", ".env", "--allow-weak")
    assert empty.entry("PASSWORD")["weak"] is True


def test_prefix(empty):
    write(empty)
    empty.ok("import", ".env", "--prefix", "shop/prod")
    assert empty.names() == ["shop/prod/DATABASE_URL", "shop/prod/STRIPE_KEY"]
    assert "STRIPE_KEY=shop/prod/STRIPE_KEY\n" in manifest(empty)
    assert empty.ok("run", "--", "sh", "-c", 'echo "$STRIPE_KEY"').text == "[ENVSEAL:REDACTED shop/prod/STRIPE_KEY]\n"
    assert "name" in empty.run("import", ".env", "--prefix", "bad prefix", status=2).talk


# ------------------------------------------------------------------------------------------------ what is there already


def test_another_value_wants_force(vault):
    write(vault, "NEW=another-new-77881\nAPI_TOKEN=a-different-one-9913\n")
    before = vault.ok("list", "--json").out
    result = vault.run("import", ".env", "--rewrite", status=1)
    for text in ("API_TOKEN exists with another value", "line 2", "nothing was changed", "--force", "--prefix"):
        assert text in result.talk, text
    assert vault.ok("list", "--json").out == before and (vault.work / ".env").exists()
    assert not (vault.work / ".envseal").exists()
    vault.ok("import", ".env", "--force")
    assert vault.entry("API_TOKEN")["value_version"] == 2
    vault.ok("rollback", "API_TOKEN")
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])


def test_merging_into_a_manifest(empty):
    mine = "# my manifest\nPORT=\"4000\"\nOLD=old-secret # kept\n\n[prod]\nPORT=\"80\"\n"
    (empty.work / ".envseal").write_text(mine)
    write(empty)
    empty.ok("import", ".env")
    merged = manifest(empty)
    assert merged.replace("DATABASE_URL=DATABASE_URL\n", "").replace("STRIPE_KEY=STRIPE_KEY\n", "") == mine
    assert merged.index("STRIPE_KEY") < merged.index("[prod]")


@pytest.mark.parametrize("text", ["not a manifest line\n", "A=b\nA=c\n", "A=\"open\n", "A=b\x1b[31m\n"])
def test_a_manifest_that_cannot_be_read_stops_everything(empty, text):
    (empty.work / ".envseal").write_text(text)
    path = write(empty)
    result = empty.run("import", ".env", "--rewrite", status=2)
    assert re.search(r"\.envseal", result.talk) and "line" in result.talk and "\x1b" not in result.talk
    assert empty.names() == [] and path.exists() and manifest(empty) == text


def test_a_folder_that_cannot_be_written(empty):
    write(empty)
    empty.work.chmod(0o500)
    try:
        result = empty.run("import", ".env", "--rewrite", status=1)
    finally:
        empty.work.chmod(0o700)
    assert "the values are stored, but the manifest" in result.talk
    assert (empty.work / ".env").exists() and empty.is_value("STRIPE_KEY", VALUES[1])
    empty.ok("import", ".env", "--rewrite")


def test_a_wrong_passphrase_changes_nothing(empty):
    path = write(empty)
    empty.write_passphrase("not the one at all")
    empty.run("import", ".env", "--rewrite", status=5)
    assert empty.names() == [] and path.read_text() == FILE and not (empty.work / ".envseal").exists()


# -------------------------------------------------------------------------------------------------- running by manifest


def seen(vault, *options, cwd=None, **more):
    """What a program run by the manifest finds in four variables, values masked."""
    result = vault.ok("run", *options, "--", "sh", "-c", 'echo "$A|$B|$C|$D"', cwd=cwd, **more)
    return result.text.strip().replace("[ENVSEAL:REDACTED ", "<").replace("]", ">").split("|")


def test_profiles(vault):
    (vault.work / ".envseal").write_text('A=API_TOKEN\nB="common"\nC="c"\n'
                                         '[prod]\nA=DATABASE_URL\nB="pröd \\"x\\""\n[dev]\nD="d"\n')
    assert seen(vault) == ["<API_TOKEN>", "common", "c", ""]
    assert seen(vault, "--profile", "prod") == ["<DATABASE_URL>", 'pröd "x"', "c", ""]
    assert seen(vault, "-p", "dev") == ["<API_TOKEN>", "common", "c", "d"]
    result = vault.run("run", "-p", "none", "--", "true", status=125)
    assert "[none]" in result.talk


def test_minus_s_leaves_the_manifest_alone(vault):
    (vault.work / ".envseal").write_text('A=API_TOKEN\nB="text"\n')
    assert seen(vault, "-s", "DATABASE_URL=C") == ["", "", "<DATABASE_URL>", ""]


def test_the_nearest_manifest_counts(vault):
    deep = vault.work / "one/two/three"
    deep.mkdir(parents=True)
    (vault.work / ".envseal").write_text('A="outer"\nB="outer"\n')
    assert seen(vault, cwd=deep) == ["outer", "outer", "", ""]
    (vault.work / "one/.envseal").write_text('A="inner"\n')
    assert seen(vault, cwd=deep) == ["inner", "", "", ""]
    found = vault.ok("run", "--explain", "--json", "--", "true", cwd=deep).json()
    assert found["manifest"] == str(vault.work / "one/.envseal")


def test_the_global_manifest_comes_last(vault):
    (vault.home / ".envseal").write_text('A="global"\n')
    assert seen(vault) == ["global", "", "", ""]
    (vault.work / ".envseal").write_text('B="project"\n')
    assert seen(vault) == ["", "project", "", ""]


@pytest.mark.parametrize("make",
    [lambda path: path.symlink_to("real"), lambda path: path.mkdir(), lambda path: os.mkfifo(path),
                                  lambda path: path.symlink_to("/dev/zero")], ids=["link", "folder", "fifo", "device"])
def test_what_is_no_regular_file_is_passed_over(vault, make):
    (vault.work / ".envseal").write_text('A="outer"\n')
    inner = vault.work / "inner"
    inner.mkdir()
    (inner / "real").write_text('A="through a link"\n')
    make(inner / ".envseal")
    assert seen(vault, cwd=inner) == ["outer", "", "", ""]


def test_a_manifest_others_can_write_is_refused_and_mended(vault):
    path = vault.work / ".envseal"
    path.write_text('A="text"\n')
    path.chmod(0o666)
    result = vault.run("run", "--", "true", status=125)
    command = re.search(r"mend it with: (.*)", result.talk)[1]
    assert os.system(command) == 0
    assert seen(vault) == ["text", "", "", ""]


def test_reading_a_link_folder(vault):
    (vault.work / "real").mkdir()
    (vault.work / "real/.envseal").write_text('A="text"\n')
    (vault.work / "link").symlink_to("real")
    assert seen(vault, cwd=vault.work / "link") == ["text", "", "", ""]


@pytest.mark.parametrize("text, says", [
    ("A\n", "line 1"), ("A=\n", "line 1"), ("A=b c\n", "line 1"), ("A=API_TOKEN\nA=API_TOKEN\n", "line 2"),
    ('A="x\n', "line 1"),
    ("A=API_TOKEN\n[pr\x1b[2Jod]\n", "line 2"), ("# \x1b]0;title\x07\nA=API_TOKEN\n", "line 1"),
    ("# \u202e\nA=API_TOKEN\n", "line 1"),
    ("A=b\0c\n", "line 1"), ('PATH="/x"\n', "PATH"), ('LD_PRELOAD="/x.so"\n', "LD_PRELOAD"),
    ("BASH_ENV=API_TOKEN\n", "BASH_ENV"),
    ('HOME="/x"\n', "HOME"), ('A="() { :;}; echo"\n', "A"), ('ENVSEAL_HOME="/x"\n', "ENVSEAL_HOME"),
    ("1A=API_TOKEN\n", "line 1"),
    ("A=NO_SUCH_SECRET\n", "NO_SUCH_SECRET"), (b"A=\xff\xfe\n", "line 1"), ("A=" + "x" * 200 + "\n", "line 1"),
    ("#" + "x" * (1 << 20) + "\n", "1048576")], ids=lambda text: repr(text)[1:24])
def test_hostile_manifests_are_refused(vault, text, says):
    (vault.work / ".envseal").write_bytes(text if isinstance(text, bytes) else text.encode())
    result = vault.run("run", "--", "sh", "-c", "echo started", status=125)
    assert result.out == b"" and says in result.talk, result
    assert "\x1b" not in result.talk and "\u202e" not in result.talk


def test_a_manifest_without_secrets_still_sets_plain_text(vault):
    (vault.work / ".envseal").write_text('A="only text"\n')
    assert seen(vault) == ["only text", "", "", ""]


def test_a_folder_that_is_gone(vault):
    folder = vault.work / "gone"
    folder.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    words = vault.words(["run", "-s", "API_TOKEN", "--", "/bin/true"])
    process = subprocess.run(["sh", "-c", script, "sh", *words], cwd=folder, env=vault.env, capture_output=True)
    assert process.returncode == 125 and b"working directory" in process.stderr

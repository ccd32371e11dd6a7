"""C1: there is no command, option, error sentence or notice that prints a value or a part of one."""

import itertools
import re

import pytest

from attack_support import Sieve
from envseal_support import PASSPHRASE, ROOT, SECRETS, copy_vault

PLANTED = {
    "PLANTED": b"Zq7#vKp2Lw9@xNt4Rb6!",
    "planted/second": b"mG3&hYc8Dj5*sXf1Ua0-",
    "PLANTED_LINES": b"Jw6;pQe9Vt2\nBk8+rMz4Hn7\n",
}
OLD = b"Cy5%gTn1Wd3^oPi7Ls8~"
WAITING = b"Ek2$uRa6Fv9?bQx0Jm4:"
CANDIDATE = b"Hs9(dZw3Po7)tVy5Gc1|"
SIEVE = Sieve([*PLANTED.values(), OLD, WAITING, CANDIDATE])
SIEVE_OF_PASSPHRASE = Sieve([PASSPHRASE.encode()], part=14)
EXITS = {0, 1, 2, 3, 4, 5, 6}
EXITS_OF_RUN = {0, 125, 126, 127}


@pytest.fixture(scope="module")
def planted(tmp_path_factory, empty_original):
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("planted"))
    vault.set("PLANTED", OLD)
    vault.set("PLANTED", PLANTED["PLANTED"], "--force", "--tag", "one", "--note", "a note")
    for name in ("planted/second", "PLANTED_LINES"):
        vault.set(name, PLANTED[name])
    vault.set("WAITING", WAITING, "--locked")
    vault.set("PLANTED", WAITING, "--locked", "--force")
    vault.run("verify", "PLANTED", input=CANDIDATE, status=1)
    return vault


def command_names():
    table = (ROOT / "src/cli/command_table.c").read_text().split("command_rows[] = {")[1]
    return re.findall(r'\.name = "([^"]+)"', table)


def options_of(vault, command):
    """From the program's own help, so that an option that is new is tried too."""
    text = vault.ok(*command.split(), "--help", passphrase=False).text
    return {match[1]: match[2] for match in re.finditer(r"^  (?:-\w, |    )--([\w-]+)(?: (\S+))?", text, re.MULTILINE)
            if not match[1].startswith("passphrase") and match[1] != "help"}


def operands(command):
    return {"rename": ["PLANTED", "RENAMED"], "copy": ["PLANTED", "COPIED"], "import": ["values.env"], "completion": ["bash"],
            "help": ["run"]}.get(command, ["PLANTED"])


def argument_for(option, value, command):
    """Something the option can use, where there is such a thing."""
    by_option = {"file": "value.txt", "generate": "24", "expires": "90d", "to": "1", "pwhash": "interactive", "kind": "secret",
                 "since": "7d", "until": "2099-01-01", "program": "sh", "tag": "one", "remove": "one", "prefix": "app",
                 "profile": "staging", "keep-env": "LESS", "plain": "SOME_KEY", "note": "text", "add": "two"}
    if option == "secret":
        return {"import": "PLANTED", "audit show": "PLANTED"}.get(command, "PLANTED=V")
    return by_option.get(option, "PLANTED") if value else None


def words_of(command, chosen, options):
    words = command.split()
    for option in chosen:
        argument = argument_for(option, options[option], command)
        words += [f"--{option}"] if argument is None else [f"--{option}={argument}"]
    usage = {"init", "list", "audit show", "audit verify", "audit rotate", "audit accept", "doctor", "version", "run", "inject",
             "jail", "totp setup", "totp rm", "totp status"}
    words += [] if command in usage else operands(command)
    program = ["--", "/bin/sh", "-c", "exit 0"] if command in ("run", "inject", "pipe") or (command == "jail" and "check" not in chosen) else []
    return words + program


def prepare(vault):
    (vault.work / "value.txt").write_bytes(CANDIDATE)
    (vault.work / "values.env").write_bytes(b"PLANTED='" + CANDIDATE + b"'\nSOME_KEY=" + OLD + b"\n")
    (vault.work / ".envseal").write_text("PLANTED=PLANTED\nSECOND=planted/second\n[staging]\nLINES=PLANTED_LINES\n")


@pytest.mark.parametrize("command", command_names())
def test_every_command_with_every_option(tmp_path, planted, command):
    options = options_of(planted, command)
    assert "json" in options or command in ("get", "completion", "help")
    pairs = list(itertools.combinations(sorted(options), 2))
    chosen = [(), *((option,) for option in options), *(pairs if len(pairs) < 12 else pairs[::3])]
    takes_passphrase = command in ("init", "set", "rename", "copy", "rm", "tag", "rollback", "verify", "confirm", "import", "run",
                                   "inject", "pipe", "audit verify", "audit accept", "totp setup", "totp rm", "totp status")
    for number, combination in enumerate(chosen):
        vault = copy_vault(planted, tmp_path / str(number))
        prepare(vault)
        for passphrase in {True: (True, False) if number % 4 == 0 else (True,), False: (False,)}[takes_passphrase]:
            words = words_of(command, combination, options)
            if (command == "doctor" and number % 2) or {"health", "coverage"} & set(combination):
                words += ["--passphrase-file", str(vault.passphrase_file)]
            result = vault.run(*words, input=CANDIDATE, passphrase=passphrase)
            for sieve, data in itertools.product((SIEVE, SIEVE_OF_PASSPHRASE), (result.out, result.err)):
                sieve.assert_clean(data, result.args)
            assert result.status in (EXITS_OF_RUN if command in ("run", "inject", "pipe") else EXITS | EXITS_OF_RUN if command == "jail" else EXITS), result


def test_the_sieve_holds_what_it_should():
    """A test that finds nothing proves something only when it would find."""
    value = PLANTED["PLANTED"]
    for text in (value, value[3:9], value.hex().encode(), value.hex().upper()[8:20].encode(), value[::-1]):
        assert SIEVE.find(b"before " + text + b" after")
    import base64
    for cut in range(3):
        assert SIEVE.find(base64.b64encode(b"x" * cut + value))


@pytest.mark.parametrize("words", [
    ["set", "PLANTED", "{}"], ["set", "PLANTED={}"], ["set", "{}"], ["set", "{}", "--locked"], ["set", "PLANTED", "--value={}"],
    ["set", "PLANTED", "--stdin={}"], ["get", "{}", "{}"], ["verify", "PLANTED", "{}"], ["verify", "{}"], ["show", "{}"], ["history", "{}"],
    ["rename", "PLANTED", "{}"], ["copy", "{}", "PLANTED"], ["tag", "{}", "--add", "x"], ["rm", "{}", "--yes"],
    ["set", "PLANTED", "--generate={}"], ["set", "PLANTED", "--stdin", "--expires={}"], ["run", "-s", "{}", "--", "true"],
    ["run", "-s", "PLANTED={}", "--", "true"], ["run", "-s", "PLANTED={}:file", "--", "true"], ["pipe", "{}", "--", "true"],
    ["run", "--keep-env={}", "-s", "PLANTED", "--", "true"], ["run", "{}", "-s", "PLANTED", "--", "true"], ["confirm", "{}"], ["audit", "{}"],
    ["rollback", "PLANTED", "--to={}"]], ids=lambda words: " ".join(words))
def test_a_value_typed_in_the_wrong_place_is_not_echoed(planted, words):
    """People paste a value where a name belongs. What is in their shell's history need not be in a log of errors as well."""
    value = PLANTED["PLANTED"]
    result = planted.run(*[word.replace("{}", value.decode()) for word in words], input=b"")
    assert result.status in EXITS | EXITS_OF_RUN and result.status != 0, result
    Sieve([value], part=len(value)).assert_clean(result.out + result.err, result.args)


@pytest.mark.parametrize("name", ["PLANTED", "planted/second", "WAITING", "NOBODY"])
def test_get_refuses_whatever_it_is_asked(planted, name):
    result = planted.run("get", name, passphrase=False, status=4)
    assert result.out == b"" and "envseal run" in result.talk
    SIEVE.assert_clean(result.err, "get")


def test_sizes_are_buckets(tmp_path, planted):
    vault = copy_vault(planted, tmp_path)
    for length in (16, 20, 31):
        vault.set(f"SIZE_{length}", bytes(range(65, 65 + length)))
    assert len({str(vault.entry(f"SIZE_{length}")["size"]) for length in (16, 20, 31)}) == 1
    listed = {entry["name"]: entry["size"] for entry in vault.ok("list", "--json").json()["secrets"]}
    assert {listed[f"SIZE_{length}"] for length in (16, 20, 31)} == {"16-31"}


def test_verify_stops_answering(vault):
    """Otherwise it would be an oracle for short values."""
    answers = [vault.run("verify", "API_TOKEN", input=b"guess-%d" % number) for number in range(6)]
    assert [answer.status for answer in answers] == [1] * 5 + [4]
    assert [answer.text for answer in answers] == ["no\n"] * 5 + [""]
    right = vault.run("verify", "API_TOKEN", input=SECRETS["API_TOKEN"], status=4)
    assert right.out == b""

"""The second factor: set up on a terminal, proven, removed by a code or the recovery code."""

import json
import os
import re
import subprocess

import pexpect
import pytest

from envseal_support import PASSPHRASE, finish
from totp_support import PRESENT, PROOF, WRITTEN, App, Setup, kinds, totp_rm, totp_status

ENTER, LEAVE = "\x1b[?1049h", "\x1b[2J\x1b[H\x1b[?1049l"
CONTROL_C, CONTROL_Z = "\x03", "\x1a"


def test_the_app_of_these_tests():
    """RFC 6238, Appendix B."""
    app = App("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    assert [app.code(seconds // 30) for seconds in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def test_without_one(vault):
    assert vault.ok("totp", "status").text == "not set up\n"
    assert totp_status(vault) == {"version": 1, "set_up": False, "since": None, "wrong": 0, "locked": False,
                                  "locked_seconds": 0}
    child = vault.spawn("totp", "rm", passphrase=True)
    text, status = finish(child)
    assert status == 1 and "nothing to remove" in text
    assert kinds(vault) == []


def test_set_up_and_removed(vault):
    setup = Setup(vault, env={"TERM": "xterm", "USER": "mary"})
    assert setup.app.label == f"envseal:mary@{os.uname().nodename}"
    assert {name: setup.app.options[name] for name in ("issuer", "algorithm", "digits", "period")} == {
        "issuer": "envseal", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert " ".join(re.findall("....", setup.app.text)) in setup.seen
    assert len(setup.app.key) == 20
    assert not totp_status(vault)["set_up"]
    text, status = setup.written().prove(setup.app.fresh())
    assert status == 0 and "the second factor is set up" in text
    found = totp_status(vault)
    assert found["set_up"] and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["since"]) and found["wrong"] == 0
    assert vault.ok("totp", "status").text == f"set up since {found['since']}\n"
    assert totp_rm(vault, setup.app.wrong()[0])[1] == 5
    assert totp_status(vault)["wrong"] == 1
    text, status = totp_rm(vault, setup.app.fresh())
    assert status == 0 and "the second factor is removed" in text
    assert not totp_status(vault)["set_up"]
    assert kinds(vault) == ["totp.setup", "totp.try", "totp.failed", "totp.try", "totp.ok", "totp.rm"]
    assert vault.check()["ok"]


def test_a_wrong_proof_stores_nothing(vault):
    setup = Setup(vault).written()
    first, second, third = setup.app.wrong(3)
    setup.child.send(first + "\r")
    setup.child.expect("That is not the code.*" + PROOF)
    setup.child.send("12" + second + "\r")
    setup.child.expect("That is not the code.*" + PROOF)
    text, status = setup.prove(third)
    assert status == 5 and "nothing was stored" in text
    assert not totp_status(vault)["set_up"] and kinds(vault) == []


def test_a_proof_after_a_mistake(vault):
    setup = Setup(vault).written()
    setup.child.send(setup.app.wrong()[0] + "\r")
    setup.child.expect("That is not the code.*" + PROOF)
    code = setup.app.fresh()
    assert setup.prove(code[:3] + " " + code[3:])[1] == 0
    assert totp_status(vault)["set_up"]


@pytest.mark.parametrize("key", ["n", "\r", CONTROL_C])
def test_a_no_stores_nothing(vault, key):
    setup = Setup(vault)
    setup.child.send(key)
    text, status = finish(setup.child)
    assert status == 4 and LEAVE in text
    assert not totp_status(vault)["set_up"]


def test_another_one_in_its_place(vault):
    old = Setup(vault).done()
    refused = vault.spawn("totp", "setup", passphrase=True, env={"TERM": "xterm"})
    refused.expect(PRESENT)
    refused.send(old.app.wrong()[0] + "\r")
    text, status = finish(refused)
    assert status == 5 and "otpauth" not in text and ENTER not in text
    new = Setup(vault, present=old.app.fresh()).done()
    assert new.app.key != old.app.key
    assert [record["replaced"] for record in vault.records(kind="totp.setup")] == [False, True]
    assert totp_rm(vault, old.app.code(old.app.last))[1] == 5
    assert totp_rm(vault, old.recovery, "--recovery")[1] == 5
    assert totp_rm(vault, new.app.fresh())[1] == 0


def test_a_code_is_taken_once(vault):
    setup = Setup(vault).done()
    text, status = totp_rm(vault, setup.app.code(setup.app.last))
    assert status == 5 and "this code was used already; wait for the next one" in text
    assert vault.records(kind="totp.failed")[-1]["used"] is True
    assert totp_status(vault)["set_up"]


def test_recovery(vault):
    setup = Setup(vault).done()
    text, status = totp_rm(vault, "AAAAA-BBBBB-CCCCC-DDDDD", "--recovery")
    assert status == 5 and "not the recovery code" in text
    assert totp_status(vault)["wrong"] == 0 and vault.records(kind="totp.failed")[-1]["recovery"] is True
    text, status = totp_rm(vault, setup.recovery.lower().replace("-", " "), "--recovery")
    assert status == 0
    assert not totp_status(vault)["set_up"] and vault.records(kind="totp.rm")[-1]["recovery"] is True


def test_five_wrong_codes(vault):
    setup = Setup(vault).done()
    for number, code in enumerate(setup.app.wrong(5), 1):
        text, status = totp_rm(vault, code)
        assert status == 5 and ("locked for 15 minutes" in text) == (number == 5)
    found = totp_status(vault)
    assert found["wrong"] == 5 and found["locked"] and 0 < found["locked_seconds"] <= 900
    assert "locked for" in vault.ok("totp", "status").text
    text, status = totp_rm(vault, setup.app.fresh())
    assert status == 4 and "codes are looked at again in" in text
    assert kinds(vault)[-1] == "totp.locked" and totp_status(vault)["wrong"] == 5
    assert totp_rm(vault, setup.recovery, "--recovery")[1] == 0


def test_five_digits_are_no_try(vault):
    Setup(vault).done()
    text, status = totp_rm(vault, "12345")
    assert status == 5 and "a code is six digits" in text
    assert totp_status(vault)["wrong"] == 0


def test_a_wrong_passphrase(vault):
    vault.write_passphrase("not the one")
    text, status = finish(vault.spawn("totp", "setup", passphrase=True, env={"TERM": "xterm"}))
    assert status == 5 and "otpauth" not in text
    vault.write_passphrase(PASSPHRASE)


# ------------------------------------------------------------------------------------------------------------ the screen


def test_the_screen_is_left_clean(vault):
    setup = Setup(vault).done()
    whole = setup.seen + setup.picture + setup.end
    assert whole.startswith(ENTER) or ENTER in setup.seen
    inside = whole[whole.index(ENTER):whole.rindex(LEAVE)]
    outside = whole.replace(inside, "")
    for text in (setup.app.uri, setup.app.text, setup.app.text[:4] + " ", setup.recovery, "\u2588"):
        assert text not in outside
    assert setup.app.uri in inside and "\u2588" in inside


def test_the_passphrase_is_asked_for_before_the_screen(vault):
    child = vault.spawn("totp", "setup", env={"TERM": "xterm"})
    child.expect("Passphrase: $")
    assert ENTER not in child.before
    child.send(PASSPHRASE + "\r")
    child.expect(WRITTEN)
    assert ENTER in child.before
    child.send("n")
    assert finish(child)[1] == 4


def test_on_a_dumb_terminal(vault):
    setup = Setup(vault, env={"TERM": "dumb"}).done()
    whole = setup.seen + setup.picture + setup.end
    assert "\x1b" not in whole and "####" in setup.picture


def test_the_picture_is_ascii_without_a_utf8_locale(vault):
    setup = Setup(vault, env={"TERM": "xterm", "LC_ALL": "C"}).written()
    assert "####" in setup.picture and "\u2588" not in setup.picture
    setup.child.close(force=True)


def test_the_picture_is_square(vault):
    setup = Setup(vault).written()
    lines = re.findall(r"\x1b\[40;97m([ \u2580\u2584\u2588]+)\x1b\[0m", setup.picture)
    assert len(lines) >= 20 and {len(line) for line in lines} <= {2 * len(lines), 2 * len(lines) - 1}
    setup.child.close(force=True)


@pytest.mark.parametrize("size", [(20, 80), (50, 40)])
def test_a_terminal_that_is_too_small(vault, size):
    setup = Setup(vault, dimensions=size)
    assert "too small" in setup.seen
    setup.done()
    assert "\u2588" not in setup.picture and totp_status(vault)["set_up"]


def test_without_libqrencode(vault):
    """Nobody can take a library away but in a view of the files of one's own."""
    found = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    library = re.search(r"libqrencode\.so\.4 .*=> (\S+)", found)
    view = ["unshare", "--user", "--map-root-user", "--mount"]
    if not library or subprocess.run([*view, "true"], capture_output=True).returncode != 0:
        pytest.skip("no views of the files for users here")
    script = f'mount --bind /dev/null {os.path.realpath(library[1])} && exec "$@"'
    words = [*view, "sh", "-c", script, "sh", *vault.words(["totp", "setup"])]
    child = pexpect.spawn(words[0], words[1:], env=vault.env | {"TERM": "xterm"}, cwd=str(vault.work), encoding="utf-8",
                          timeout=60, dimensions=(50, 300))
    child.expect(WRITTEN)
    assert "Is the library libqrencode installed?" in child.before and "error while loading" not in child.before
    app = App(re.search(r"otpauth://\S+", child.before)[0])
    child.send("y")
    child.expect(PROOF)
    assert "\u2588" not in child.before
    child.send(app.fresh() + "\r")
    assert finish(child)[1] == 0
    assert totp_status(vault)["set_up"]


def test_control_z_does_not_show_a_shell_beside_the_key(vault):
    setup = Setup(vault)
    setup.child.send(CONTROL_Z)
    setup.child.expect(WRITTEN)
    assert setup.child.isalive()
    assert setup.written().prove(setup.app.fresh())[1] == 0


@pytest.mark.parametrize("where", ["text", "picture"])
def test_a_signal_leaves_the_screen(vault, where):
    setup = Setup(vault)
    if where == "picture":
        setup.written()
    setup.child.kill(15)
    text, status = finish(setup.child)
    assert status == 128 + 15 and text.endswith(LEAVE) and not totp_status(vault)["set_up"]


# ------------------------------------------------------------------------------------------------ redirected, no terminal


def test_nothing_is_written_to_the_streams(vault):
    script = '"$@" > out 2> err < /dev/null; echo "status $?"; read wait'
    child = pexpect.spawn("/bin/sh", ["-c", script, "sh", *vault.words(["totp", "setup", "--json"])],
                          env=vault.env | {"TERM": "xterm"}, cwd=str(vault.work), encoding="utf-8", timeout=60,
                          dimensions=(50, 300))
    child.expect(WRITTEN)
    app = App(re.search(r"otpauth://\S+", child.before)[0])
    child.send("y")
    child.expect(PROOF)
    child.send(app.fresh() + "\r")
    child.expect("status 0")
    child.close(force=True)
    assert json.loads((vault.work / "out").read_text()) == {"version": 1, "set_up": True}
    assert (vault.work / "err").read_text() == (
        "envseal: the second factor is set up; without the phone, the recovery code removes it\n")


@pytest.mark.parametrize("words", [["totp", "setup"], ["totp", "rm"], ["totp", "rm", "--recovery"]], ids=" ".join)
def test_without_a_terminal(vault, words):
    result = vault.run(*words, status=4)
    assert "on a terminal only" in result.talk and "--passphrase" not in result.talk and result.out == b""
    assert kinds(vault) == []

"""C2: the key of the second factor lies sealed in the vault and nowhere else; and its guesses cannot be had for nothing: not by
killing envseal, not by putting the vault of before back, not by taking the setting away."""

import copy
import shutil
import signal

import pytest

from attack_support import SETTING, Database, Sieve, assert_sealed_tree
from envseal_support import copy_vault, seeded, wait_until
from totp_support import PRESENT, Setup, kinds, totp_rm, totp_status


@pytest.fixture(scope="module")
def set_up(tmp_path_factory, original):
    """-> a vault with a second factor, and what was on the screen."""
    vault = copy_vault(original, tmp_path_factory.mktemp("totp"))
    return vault, Setup(vault).done()


@pytest.fixture
def target(tmp_path, set_up):
    """A copy, whose app may take the next code."""
    vault, setup = set_up
    setup = copy.copy(setup)
    setup.app = copy.copy(setup.app)
    return copy_vault(vault, tmp_path), setup


def test_key_and_recovery_code_are_in_no_file(target):
    vault, setup = target
    (vault.base / "temporary").mkdir()
    vault.env["TMPDIR"] = str(vault.base / "temporary")
    app = setup.app
    sieve = Sieve([app.key, app.text.encode(), setup.recovery.replace("-", "").encode()])
    shown = b""
    for answer in (app.wrong()[0], setup.recovery):
        text, status = totp_rm(vault, answer)
        assert status == 5
        shown += text.encode()
    for words in (["totp", "status"], ["totp", "status", "--json"], ["doctor", "--passphrase-file", vault.passphrase_file],
                  ["audit", "show", "--json"]):
        result = vault.run(*words)
        shown += result.out + result.err
    again = Setup(vault, present=app.fresh())
    again.child.close(force=True)
    sieve.assert_clean(shown, "what was printed")
    assert assert_sealed_tree(sieve, vault.dir, vault.home, vault.work, vault.base / "temporary") >= 2
    Sieve([again.app.key, again.app.text.encode()]).assert_clean(b"".join(vault.files().values()), "the vault's folder")


def test_the_vault_of_before_put_back(target):
    """With the guesses not in it; the log tells that there is a later one."""
    vault, setup = target
    shutil.copy(vault.database, vault.base / "before.db")
    for code in setup.app.wrong(2):
        assert totp_rm(vault, code)[1] == 5
    for path in vault.dir.glob("vault.db*"):
        path.unlink()
    shutil.copy(vault.base / "before.db", vault.database)
    vault.database.chmod(0o600)
    text, status = totp_rm(vault, setup.app.wrong()[0])
    assert status == 6 and "the vault is older than its audit log" in text


def test_the_setting_taken_away(target):
    vault, _ = target
    with Database(vault.database) as database:
        database.delete(SETTING, b"totp")
    assert vault.run("totp", "status").status == 6
    assert vault.run("run", "-s", "API_TOKEN", "--", "true").status == 125


def test_the_setting_of_before_put_back(target):
    """With a count of none, sealed by envseal itself."""
    vault, setup = target
    with Database(vault.database) as database:
        body = database.body(SETTING, b"totp")
    assert totp_rm(vault, setup.app.wrong()[0])[1] == 5
    with Database(vault.database) as database:
        database.put(SETTING, b"totp", body)
    assert vault.run("totp", "status").status == 6


@pytest.mark.parametrize("number", range(10))
def test_killed_while_a_code_is_looked_at(target, number):
    """Whatever of an answer can be seen from outside, the try is counted."""
    vault, setup = target
    rng = seeded(f"killed-{number}")
    before = len(kinds(vault))
    child = vault.spawn("totp", "rm", passphrase=True)
    child.expect(PRESENT)
    log_bytes = vault.log.stat().st_size
    child.send(setup.app.wrong()[0] + "\r")
    # At the first thing that can be seen, or some looks later.
    wait_until(lambda: vault.log.stat().st_size != log_bytes or not child.isalive())
    for _ in range(rng.randrange(0, 400)):
        vault.log.stat()
    child.kill(signal.SIGKILL)
    child.close(force=True)
    seen = kinds(vault)[before:]
    wrong = totp_status(vault)["wrong"]
    assert seen in (["totp.try"], ["totp.try", "totp.failed"]) and wrong in (0, 1)
    assert wrong == 1 or "totp.failed" not in seen


@pytest.mark.usefixtures("unsanitized")
def test_the_loader_of_the_picture_hears_of_nothing(target):
    """The program that draws it has a loader, as envseal has not: no variable and no path of the caller reaches it."""
    vault, setup = target
    trace = vault.base / "trace"
    child = Setup(vault, present=setup.app.fresh(), env={"TERM": "xterm", "LD_DEBUG": "all", "LD_DEBUG_OUTPUT": str(trace),
                                                         "LD_LIBRARY_PATH": str(vault.work), "LD_PRELOAD": "/nowhere.so"})
    child.written()
    assert "\u2588" in child.picture
    child.child.close(force=True)
    assert not list(vault.base.glob("trace*"))


def test_without_a_terminal(target):
    """An agent that has the passphrase and no terminal can neither see a key nor take one away."""
    vault, setup = target
    for words in (["totp", "setup"], ["totp", "rm"], ["totp", "rm", "--recovery"]):
        result = vault.run(*words, input=setup.recovery + "\n", status=4)
        assert result.out == b"" and "on a terminal only" in result.talk
    assert totp_status(vault)["set_up"]

"""C14: a value that nobody with the passphrase confirmed is used by no program."""

SLIPPED_IN = b"slip-Rz7kQ0vM3xTf9Lc2"


def test_new_name_that_waits_is_not_injected(vault):
    vault.set("NEW_HOST", SLIPPED_IN, "--locked")
    ran = vault.work / "ran"
    vault.run("run", "-s", "NEW_HOST", "--", "/usr/bin/touch", ran, status=125)
    assert not ran.exists()
    vault.ok("confirm", "NEW_HOST", "--yes")
    assert vault.value("NEW_HOST") == SLIPPED_IN

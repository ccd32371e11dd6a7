"""`doctor`: every finding is a line with what it means, and the exit status says whether one is bad."""


def test_without_a_vault(no_vault):
    found = no_vault.run("doctor", "--json").json()
    assert all(finding["severity"] in ("ok", "note", "warn", "bad") for finding in found["findings"])


def test_with_a_vault(vault):
    result = vault.run("doctor")
    assert result.text.startswith("[")

"""C10: a file that somebody else could read, write or swap is not used, and the sentence says what mends it."""

import pytest


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_vault_open_to_others(vault, mode):
    vault.database.chmod(mode)
    refused = vault.run("list", status=4)
    assert f"chmod 600 '{vault.database}'" in refused.talk.replace('"', "'") or f"chmod 600 {vault.database}" in refused.talk
    vault.run("run", "-s", "API_TOKEN", "--", "/bin/true", status=125)
    vault.database.chmod(0o600)
    vault.ok("list")

"""C13: bad input ends in a defined error and loses nothing."""


def test_vault_that_is_no_database(vault):
    good = vault.database.read_bytes()
    vault.database.write_bytes(b"no database at all\n" * 500)
    vault.run("list", status=6)
    vault.database.write_bytes(good)
    vault.ok("list")

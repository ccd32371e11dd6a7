"""The log: what is recorded, how it is looked at, and that a changed or shortened log is refused."""


def test_intent_and_outcome(vault):
    vault.ok("run", "-s", "API_TOKEN", "--", "true")
    assert [record["kind"] for record in vault.records()][-2:] == ["run.intent", "run.outcome"]


def test_a_changed_byte_is_refused(vault):
    text = bytearray(vault.log.read_bytes())
    text[len(text) // 2] ^= 1
    vault.log.write_bytes(text)
    vault.run("audit", "verify", "--chain-only", status=6)

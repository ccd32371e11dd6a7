"""C11: a manifest cannot widen anything."""


def test_the_loader_is_not_set_by_a_manifest(vault):
    (vault.work / ".envseal").write_text('API_TOKEN=API_TOKEN\nLD_PRELOAD="/evil.so"\n')
    result = vault.run("run", "--", "touch", "executed", status=125)
    assert "LD_PRELOAD" in result.talk and "evil" not in result.talk
    assert not (vault.work / "executed").exists()

"""C9: the output is what a filter over the whole output at once would give, however it is cut into writes."""

from envseal_support import masked


def test_a_value_at_the_very_end(vault):
    result = vault.ok("run", "-s", "API_TOKEN", "--", "sh", "-c", 'printf "before %s" "$API_TOKEN"')
    assert result.text == f"before {masked('API_TOKEN')}"

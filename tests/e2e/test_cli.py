"""The command line as such: words, options, streams, exit statuses, and text that is safe to print."""

import pytest


@pytest.mark.parametrize("words", [["nonsense"], ["list", "--nonsense"], ["list", "operand"], ["show"]], ids=" ".join)
def test_usage_errors_are_2(no_vault, words):
    result = no_vault.run(*words, status=2)
    assert result.out == b"" and result.talk.startswith("envseal: ")


def test_version(no_vault):
    assert no_vault.ok("--version").out == no_vault.ok("version").out

"""The library's header, its manual page and the build say the same."""

import re

from docs_support import MAN, ROOT

HEADER = (ROOT / "include/envseal/redact.h").read_text()
PAGE = (MAN / "libenvseal.3.scd").read_text()


def without_comments(text):
    return re.sub(r"//.*", "", text)


def functions():
    """Prototypes, not the callbacks in structs and parameters."""
    return re.findall(r"^[a-z].*?[ *](envseal_\w+)\(", without_comments(HEADER), re.MULTILINE)


def test_every_function_is_in_the_manual():
    section = PAGE.split("# FUNCTIONS", 1)[1].split("\n# ", 1)[0]
    assert len(functions()) == len(set(functions())) == 17
    assert set(re.findall(r"\*(envseal_\w+)\*", section)) == set(functions())


def test_every_error_is_in_the_manual():
    section = PAGE.split("# ERRORS", 1)[1].split("\n# ", 1)[0]
    codes = set(re.findall(r"ENVSEAL_ERR_\w+", without_comments(HEADER)))
    assert len(codes) == 5
    assert set(re.findall(r"\*(ENVSEAL_ERR_\w+)\*", section)) == codes


def test_every_name_is_prefixed():
    text = re.sub(r'"[^"]*"', "", without_comments(HEADER))
    names = re.findall(r"(?:struct|enum) (\w+)", text) + re.findall(r"#define (\w+)", text) + functions()
    assert len(names) > 30
    assert [name for name in names if not re.match(r"envseal_|ENVSEAL_", name)] == []


def test_versions_agree():
    version = re.search(r'ENVSEAL_VERSION "([^"]+)"', HEADER)[1]
    built = re.search(r"project\('envseal', 'c',\s*version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    assert version == built


def test_header_stands_alone():
    assert set(re.findall(r"#include\s+(\S+)", HEADER)) == {"<stdbool.h>", "<stddef.h>", "<stdint.h>"}


def test_limits_are_told():
    """Wherever redaction is described, it is said what it is not."""
    for text in (HEADER, PAGE):
        assert "Redaction stops accidents, not intent." in text

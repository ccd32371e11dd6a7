"""docs/format-policy.md names every field, word, limit and reason of the code, in the order of the code where that counts."""

import re

from docs_support import ROOT

PAGE = (ROOT / "docs" / "format-policy.md").read_text()
POLICY = ROOT / "src" / "policy"


def test_fields():
    source = (POLICY / "rule_parse.c").read_text()
    names = re.findall(r'\{"(\w+)", (?:true|false), \w+_read\}', source)
    required = re.findall(r'\{"(\w+)", true, \w+_read\}', source)
    assert len(names) >= 15
    table = re.findall(r"^\| `(\w+)` \|", PAGE[:PAGE.index("## When a rule matches")], re.MULTILINE)
    assert sorted(table) == sorted(names)
    sentence = re.search(r"Required are (.*?);", PAGE)[1]
    assert sorted(re.findall(r"`(\w+)`", sentence)) == sorted(required)


def test_reasons():
    source = (POLICY / "decision_reason.c").read_text()
    names = re.findall(r'\] = \{"([\w-]+)",', source)
    rows = re.findall(r"\| `([\w-]+)` \|$", PAGE, re.MULTILINE)
    assert rows == [name for name in names if name not in ("overruled", "less-specific", "decides")]
    assert "`overruled`" in PAGE and "`less-specific`" in PAGE


def test_reasons_are_in_the_order_of_the_header():
    header = (POLICY / "decision.h").read_text()
    listed = re.findall(r"^\tPOLICY_(\w+),", header[header.index("enum policy_reason"):], re.MULTILINE)
    source = (POLICY / "decision_reason.c").read_text()
    rows = re.findall(r'\[POLICY_(\w+)\] = \{"([\w-]+)"', source)
    assert [name for name, _ in rows] == listed[:len(rows)]
    assert all(word == name.lower().replace("_", "-") for name, word in rows)


def test_limits():
    header = (POLICY / "rule.h").read_text()
    digits = PAGE.replace("\u00a0", "").replace(" ", "")
    for name, number, shift in re.findall(r"^#define (RULES?_\w+_MAX) \(?(\d+)u?(?: << (\d+))?\)?", header, re.MULTILINE):
        value = int(number) << int(shift or 0)
        texts = [str(value), f"{value >> 20}MiB"]
        assert any(text in digits for text in texts), f"{name} = {value} is not on the page"

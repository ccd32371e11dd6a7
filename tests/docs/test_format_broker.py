"""docs/format-broker.md has every message and state of the code: in its order, with its limits."""

import re

from docs_support import ROOT

PAGE = (ROOT / "docs" / "format-broker.md").read_text()
HEADER = (ROOT / "src" / "broker" / "protocol.h").read_text()
SOURCE = (ROOT / "src" / "broker" / "protocol.c").read_text()


def header_enum(name, prefix):
    body = re.search(rf"^enum {name} \{{\n(.*?)^\}};", HEADER, re.MULTILINE | re.DOTALL)[1]
    return [word for word in re.findall(rf"^\t({prefix}\w+)", body, re.MULTILINE) if not word.endswith("_COUNT")]


def numbered(kinds):
    """kind -> its number, as C counts."""
    body = re.search(r"^enum message_kind \{\n(.*?)^\};", HEADER, re.MULTILINE | re.DOTALL)[1]
    numbers, next_number = {}, 0
    for kind in kinds:
        given = re.search(rf"^\t{kind} = (\d+)", body, re.MULTILINE)
        numbers[kind] = int(given[1]) if given else next_number
        next_number = numbers[kind] + 1
    return numbers


def source_rows():
    """kind -> (name, descriptors, states)"""
    table = re.search(r"rows\[MESSAGE_KIND_COUNT\] = \{\n(.*?)^\};", SOURCE, re.MULTILINE | re.DOTALL)[1]
    rows = {}
    for kind, rest in re.findall(r"\[(MESSAGE_\w+)\] = \{(.*?)\},\n", table, re.DOTALL):
        cells = [cell.strip() for cell in rest.split(",")]
        rows[kind] = (cells[0].strip('"'), cells[3], re.findall(r"IN\((\w+)\)", cells[4]))
    return rows


def page_rows():
    cells = re.findall(r"^\| (\d+) \| `([\w-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    return [(int(number), name, bytes_, fds, states.split(", ")) for number, name, _, bytes_, fds, states in cells]


def test_messages():
    kinds = header_enum("message_kind", "MESSAGE_")
    rows = source_rows()
    assert set(rows) == set(kinds) and len(kinds) >= 20
    assert [(number, name) for number, name, *_ in page_rows()] == [(number, rows[kind][0]) for kind, number in numbered(kinds).items()]
    for (_, name, _, fds, states), kind in zip(page_rows(), kinds):
        most = fds.split(" to ")[-1]
        assert {"MESSAGE_FDS_MAX": "4"}.get(rows[kind][1], rows[kind][1]) == most, name
        assert sorted(states) == sorted(rows[kind][2]), name


def test_states():
    states = re.findall(r"^\| ([A-Z]+_[A-Z]+) \|", PAGE, re.MULTILINE)
    assert states == header_enum("reader_state", "(?:FRONT|KEEPER|WORKER|CLIENT)_")


def test_limits():
    """The sizes of the table are those that tests/unit/test_broker_protocol.c tries, one more and one less."""
    text = (ROOT / "src/base/base.h").read_text() + (ROOT / "src/approve/approve.h").read_text() + HEADER

    def value(name):
        return eval(re.sub(r"(\d)u\b", r"\1", re.search(rf"^#define {name} (.+?)(?: *//.*)?$", text, re.MULTILINE)[1]))

    sizes = {name: bytes_.replace(" ", "") for _, name, bytes_, *_ in page_rows()}
    approval = value("APPROVAL_WIRE_BYTES_MAX")
    assert sizes["refused"] == f"8to{8 + value('ERR_TEXT_BYTES') - 1}"
    assert sizes["question"] == f"56to{56 + approval}"
    assert sizes["ask"] == f"40to{40 + approval}"
    assert sizes["work"] == f"1to{value('WORK_BYTES_MAX')}"
    spaced = PAGE.replace(" ", "")
    assert f"atmost{int(value('WORK_STRINGS_MAX'))}ineachlist" in spaced.replace("\n", "")
    assert f"Thisisversion{value('PROTOCOL_VERSION')}." in spaced

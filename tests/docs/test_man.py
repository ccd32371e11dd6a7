"""The manual's sources build, and what comes out is sound."""

import re
import shutil
import subprocess

import pytest

from docs_support import MAN

PAGES = sorted(MAN.glob("*.scd"))


def page_build(path):
    if not shutil.which("scdoc"):
        pytest.skip("scdoc is not installed")
    with path.open("rb") as source:
        result = subprocess.run(["scdoc"], stdin=source, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def test_there_are_pages():
    assert len(PAGES) >= 20


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_builds_without_errors(path, tmp_path):
    built = page_build(path)
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    page = tmp_path / path.stem
    page.write_bytes(built)
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "error", page], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_title_is_the_file_name(path):
    name, section = path.name.removesuffix(".scd").rsplit(".", 1)
    lines = path.read_text().splitlines()
    assert lines[0] == f'{name}({section}) "" "envseal manual"'
    assert lines[4].startswith(f"{name} - ")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_references_lead_to_pages(path):
    for name, section in re.findall(r"\*(envseal[\w-]*)\*\((\d)\)", path.read_text()):
        assert (MAN / f"{name}.{section}.scd").is_file(), f"{name}({section})"


def test_every_page_is_installed():
    listed = set(re.findall(r"'([\w.-]+)'", (MAN / "meson.build").read_text().split("if scdoc.found()")[0]))
    for path in PAGES:
        page = path.name.removesuffix(".scd")
        assert page in listed or page.removeprefix("envseal-").removesuffix(".1") in listed, page

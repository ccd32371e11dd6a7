"""The folders of src/ keep to layers.txt: in what they include, and in what they link against."""

import re
import subprocess

import pytest

from docs_support import ROOT, build_dir

SRC = ROOT / "src"


def layers_read():
    """folder -> set of folders it may use, in the order of the file"""
    layers = {}
    for line in (ROOT / "layers.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, allowed = line.partition(":")
        assert name not in layers, f"{name} stands twice in layers.txt"
        layers[name] = set(layers) if allowed.strip() == "*" else set(allowed.split())
    return layers


LAYERS = layers_read()


def folder_names():
    return sorted(path.name for path in SRC.iterdir() if path.is_dir())


def test_every_folder_is_a_layer():
    assert folder_names() == sorted(LAYERS)


def test_layers_only_look_down():
    """With this there can be no cycle."""
    seen = set()
    for name, allowed in LAYERS.items():
        assert allowed <= seen, f"{name} may use {sorted(allowed - seen)}, which is not above it in layers.txt"
        seen.add(name)


@pytest.mark.parametrize("name", LAYERS)
def test_front_header(name):
    front = SRC / name / ("command.h" if name == "cli" else f"{name}.h")
    text = front.read_text()
    assert text.startswith("//"), "a front header begins with what it is for"
    assert "#pragma once" in text


@pytest.mark.parametrize("name", LAYERS)
def test_includes(name):
    for path in sorted((SRC / name).rglob("*.[ch]")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            where = f"{path.relative_to(ROOT)}:{number}"
            other, _, header = match[1].partition("/")
            assert (SRC / match[1]).is_file(), f"{where}: includes are written from src/"
            assert other == name or other in LAYERS[name], f"{where}: {name} may not include {other}"
            assert other == name or header == f"{other}.h", f"{where}: not the front header of {other}"


# --------------------------------------------------------------------------------------------------------- symbols


def layer_objects(name):
    library = build_dir() / "src" / name / f"lib{name}.a"
    if library.is_file():
        return [library]
    # The program itself is linked from its objects.
    return sorted((build_dir() / f"envseal.p").glob(f"src_{name}_*.o"))


def symbols(name, option):
    objects = layer_objects(name)
    assert objects, f"nothing of {name} is in {build_dir()}: build it with `make`, or set ENVSEAL_BUILD"
    output = subprocess.run(["nm", "-P", option, *objects], check=True, capture_output=True, text=True).stdout
    fields = [line.split() for line in output.splitlines() if line and not line.endswith(":")]
    return {words[0] for words in fields if len(words) >= 2 and (option == "-u" or words[1].isupper())}


@pytest.fixture(scope="module")
def defined():
    owners = {}
    for name in LAYERS:
        for symbol in symbols(name, "--defined-only"):
            if symbol == "main" or symbol.startswith("__asan") or symbol.startswith("__odr_asan"):
                continue
            assert symbol not in owners, f"{symbol} is defined in {owners.get(symbol)} and in {name}"
            owners[symbol] = name
    return owners


def test_every_layer_defines_something(defined):
    assert set(defined.values()) == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_symbols(name, defined):
    foreign = {symbol: defined[symbol] for symbol in symbols(name, "-u") if defined.get(symbol, name) != name}
    wrong = {symbol: owner for symbol, owner in foreign.items() if owner not in LAYERS[name]}
    assert not wrong, f"{name} may not link against: {wrong}"


def test_the_program_inside_has_no_path_of_its_own():
    """It is the one thing here that is linked by the loader, so what it loads must be the system's."""
    program = build_dir() / "src/engine/qr-program"
    dynamic = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    assert "[libqrencode.so.4]" in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic


def test_architecture_names_every_layer():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in LAYERS:
        assert re.search(rf"^\| `?{name}`? \|", text, re.MULTILINE), f"docs/architecture.md has no row for {name}"

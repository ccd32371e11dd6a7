"""Vaults for the tests of the real program. Making one costs a passphrase hash for each secret, so it is made once and
copied."""

import os
import pathlib

import pytest

from envseal_support import LENT, SECRETS, Vault, binary, copy_vault


def pytest_configure(config):
    config.addinivalue_line("markers", "mechanism: of a stronger tier, or of how something is done: not for `make degrade`")


@pytest.fixture(scope="session")
def empty_original(tmp_path_factory):
    vault = Vault(tmp_path_factory.mktemp("empty"))
    vault.init()
    return vault


@pytest.fixture(scope="session")
def original(tmp_path_factory, empty_original):
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("original"))
    for name, value in SECRETS.items():
        vault.set(name, value)
    return vault


@pytest.fixture(scope="session")
def unsanitized():
    """For tests of what a sanitizer changes: what envseal needs to start and to end, how much it maps, how it is linked."""
    if b"__asan_init" in pathlib.Path(binary()).read_bytes():
        pytest.skip("AddressSanitizer needs a loader, more descriptors and terabytes of addresses")


@pytest.fixture(scope="session", autouse=True)
def brokers():
    """For vaults that no fixture below makes."""
    yield
    for vault in LENT:
        if vault.has_broker:
            vault.run("lock")


def lend(vault):
    """For one test or file; what broker it has left behind is ended."""
    yield vault
    if vault.has_broker:
        vault.run("lock")
        vault.has_broker = False


@pytest.fixture
def no_vault(tmp_path):
    """Folders, and nothing in them yet."""
    yield from lend(Vault(tmp_path))


@pytest.fixture
def empty(tmp_path, empty_original):
    """A vault without secrets."""
    yield from lend(copy_vault(empty_original, tmp_path))


@pytest.fixture
def vault(tmp_path, original):
    """A vault that holds SECRETS."""
    yield from lend(copy_vault(original, tmp_path))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, original):
    """Like `vault`, one for all tests of a file: for those that change nothing but the log."""
    yield from lend(copy_vault(original, tmp_path_factory.mktemp("shared")))


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path

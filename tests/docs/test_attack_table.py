"""The manual's tables of attacks are those that are tested."""

import re
import subprocess
import sys

from docs_support import MAN, ROOT, build_dir


def test_manual_has_the_tested_table():
    words = [sys.executable, ROOT / "scripts/attack-table", "--check", "--build", build_dir()]
    assert subprocess.run(words, timeout=60).returncode == 0, "make it anew: scripts/attack-table"


def test_table_is_not_empty():
    assert len(re.findall("^(?:works|refused) ", (MAN / "envseal-sandbox.7.scd").read_text(), re.MULTILINE)) > 80

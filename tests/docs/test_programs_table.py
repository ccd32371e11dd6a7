"""The manual's table of programs is the one that is tested."""

import subprocess
import sys

from docs_support import ROOT

MARK = "; made by tests/tier_programs.py: "


def test_the_manual_shows_what_works_in_each_tier():
    page = (ROOT / "docs/man/envseal-sandbox.7.scd").read_text()
    made = subprocess.run([sys.executable, ROOT / "tests/tier_programs.py"], check=True, capture_output=True, text=True).stdout
    shown = page.partition(f"{MARK}begin\n\n")[2].partition(f"\n{MARK}end\n")[0]
    assert shown == made, "put into the page what tests/tier_programs.py prints"

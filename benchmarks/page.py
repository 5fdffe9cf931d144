"""`python -m benchmarks.page`: put what was measured last into the documentation, between its markers.

build/bench.md and build/bench-large.md go into docs/performance.md, the plan of benchmarks.scaling into docs/scaling.md. What was
not measured here leaves its part of a page as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from benchmarks import scaling, table

ROOT: Final = Path(__file__).parent.parent
PERFORMANCE: Final = "docs/performance.md"
SCALING: Final = "docs/scaling.md"
RESULTS: Final = "results"
LARGE: Final = "large results"
PLAN: Final = "plan"


def between(text: str, name: str) -> str:
    """Return what stands between the markers of a part of a page. Raises ValueError where they are missing."""
    begin, end = _markers(name)
    return text[text.index(begin) + len(begin) : text.index(end)].strip()


def with_part(text: str, name: str, content: str) -> str:
    """Return a page with the part between two markers replaced. Raises ValueError where they are missing."""
    begin, end = _markers(name)
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    return f"{before}\n\n{content.strip()}\n\n{after}"


def parts(build: Path) -> list[tuple[str, str, str]]:
    """Return page, part and content of all that was measured here."""
    found = []
    for name, part in ((table.RESULTS, RESULTS), (table.LARGE, LARGE)):
        file = build / f"{name}.md"
        if file.exists():
            found.append((PERFORMANCE, part, file.read_text()))
    costs = scaling.read(build)
    if costs:
        found.append((SCALING, PLAN, scaling.plan(costs)))
    return found


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"), help="where the results are")
    arguments = parser.parse_args()
    for page, part, content in parts(arguments.build):
        path = ROOT / page
        path.write_text(with_part(path.read_text(), part, content))
        print(f"{page}: {part}")


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}, written by python -m benchmarks.page -->", f"<!-- end of {name} -->"


if __name__ == "__main__":
    main()

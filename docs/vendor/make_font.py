"""The font of the formulas, from STIX Two Math 2.11: python docs/vendor/make_font.py STIXTwoMath-Regular.ttf

The file is in the release v2.11 of https://github.com/stipub/stixfonts (fonts/static_ttf). It needs
pip install fonttools brotli. A character that is not in the list is drawn in another font: add it when a page needs it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHARACTERS = (
    "20-7E B7 D7 2C6 2DC 302-304 307 "  # ASCII, accents
    "391-3A1 3A3-3A9 3B1-3C9 3D5 3F5 "  # Greek
    "2026 2032 2061-2064 210E 2112 211D 2190-2194 21A6 21D2 "  # letters, arrows
    "2202 2207-2208 220B 220F 2211-2212 2217 221A 221D-221E 2225 2248 2260 2264-2265 226A-226B "
    "2295 2299 22A4 22C5 22EE-22F1 2308-230B 27E8-27E9 "  # operators, brackets
    "1D434-1D454 1D456-1D467 1D5B3 1D6FC-1D71B"  # italic letters, italic Greek
)


def main(source: str) -> None:
    target = Path(__file__).with_name("STIXTwoMath.woff2")
    subset = ["pyftsubset", source, f"--unicodes={CHARACTERS}", "--layout-features=*", "--flavor=woff2"]
    subprocess.run([*subset, f"--output-file={target}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1])

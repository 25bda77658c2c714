"""Take the READMEs' pictures of a dossier.

    python3 docs/pictures/make.py DOSSIER.HTML      writes docs/pictures/dossier.png, dossier-ko.png

Needs what the browser tests need: playwright, Debian's chromium and fonts-nanum. The pictures are
of the sample programme's own dossier; take them again when the page looks different.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = {
    "en": Path(__file__).with_name("dossier.png"),
    "ko": Path(__file__).with_name("dossier-ko.png"),
}
WIDTH, HEIGHT = 1280, 1000
MOST_BYTES = 300_000


def take(dossier: Path, *, lang: str, picture: Path) -> int:
    """Write the picture of a dossier's first page and return its size in bytes.

    Raises:
        SystemExit: There is no Chromium, or the picture is too large for a README.
    """
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("No Chromium here: apt-get install chromium fonts-nanum")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(f"{dossier.resolve().as_uri()}?lang={lang}")
        page.screenshot(path=picture)
        browser.close()
    size = picture.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{picture} has {size:,} bytes; a README's picture has {MOST_BYTES:,}.")
    return size


def main() -> None:
    """Read the command line and take the picture."""
    words = argparse.ArgumentParser(description="Take the READMEs' pictures of a dossier.")
    words.add_argument("dossier", type=Path)
    asked = words.parse_args()
    for lang, picture in PICTURES.items():
        size = take(asked.dossier, lang=lang, picture=picture)
        print(f"{picture}: {size:,} bytes")  # noqa: T201  # a script tells what it wrote


if __name__ == "__main__":
    main()

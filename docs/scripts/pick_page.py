"""Renders docs/images/pick.jpg: the page of `tallylens pick` on the demo's street, in Chromium.

python docs/scripts/pick_page.py [PATH OF CHROMIUM]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tallylens.demo.scene import Scene
from tallylens.demo.source import open_scene
from tallylens.pick.drawing import KINDS, parse_region
from tallylens.pick.frame import PickedFrame
from tallylens.pick.server import PickServer

IMAGES = Path(__file__).resolve().parents[1] / "images"
SEED, SIZE, SECONDS = 56, (960, 540), 12.5
REGIONS = {
    "line": ["0.5,0.2,0.5,1,middle"],
    "zone": ["0.05,0.8,0.4,0.8,0.4,0.98,0.05,0.98,pavement"],
    "ignore": ["0.02,0.28,0.3,0.28,0.3,0.5,0.02,0.5,parked cars"],
}


def main() -> None:
    """Serve the frame with some regions, and save the page as an image."""
    path = sys.argv[1] if sys.argv[1:] else shutil.which("chromium")
    regions = [parse_region(kind, one, SIZE) for kind in KINDS for one in REGIONS[kind]]
    with open_scene(Scene(SEED, SIZE)) as source, sync_playwright() as playwright:
        image = next(one.image for one in source if one.timestamp_ns >= SECONDS * 1e9)
        server = PickServer(PickedFrame("street.mp4", SECONDS, image), regions)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 800})
        page.goto(server.url)
        page.locator("#options", has_text="--line").wait_for()
        page.screenshot(path=IMAGES / "pick.jpg", type="jpeg", quality=80, full_page=True)
        browser.close()
        server.close()


if __name__ == "__main__":
    main()

"""`tallylens pick`: draw lines and zones on a frame, and get the options of `count`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tallylens.commands.arguments import add_json, print_json, seconds_of_a_day, tcp_port
from tallylens.edge_runtime.text import printable

if TYPE_CHECKING:
    from tallylens.pick.drawing import DrawnRegion
    from tallylens.pick.frame import PickedFrame

NAME = "pick"
HELP = "Draw lines and zones on a frame in the browser, and get the options of `count`."
EXAMPLES = """examples:
  tallylens pick street.mp4
  tallylens pick rtsp://camera/1 --line 0,0.6,1,0.6,road
  tallylens pick street.mp4 --at 30 --grid street.png

The page is served to this machine only, until Done in the page or Ctrl-C here. Over SSH, forward
the port of --port and open the address that is shown."""

WAIT_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", help="video file, folder or glob of images, camera number, or rtsp/http URL"
    )
    parser.add_argument(
        "--at",
        type=seconds_of_a_day,
        default=0.0,
        metavar="SECONDS",
        help="draw on the frame this long after the first one (default: 0)",
    )
    parser.add_argument(
        "--line",
        action="append",
        default=[],
        metavar="x1,y1,x2,y2[,name]",
        help="a line to start with",
    )
    parser.add_argument(
        "--zone",
        action="append",
        default=[],
        metavar="x1,y1,...[,name]",
        help="a zone to start with",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="x1,y1,...[,name]",
        help="an ignored zone to start with",
    )
    parser.add_argument(
        "--grid",
        type=Path,
        metavar="FILE.png|.jpg",
        help="write the frame with a grid of coordinates to FILE, without a browser",
    )
    parser.add_argument(
        "--port", type=tcp_port, default=0, help="port of the page (default: a free one)"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="show the address, and open no browser"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.exit_status import DONE, INTERRUPTED
    from tallylens.pick.drawing import KINDS, parse_region
    from tallylens.pick.frame import read_frame
    from tallylens.pick.grid import check_grid_path, write_grid
    from tallylens.terminal.progress import Progress

    if options.grid is not None:
        check_grid_path(options.grid)
    with Progress("reading", None, "frames") as progress:
        frame = read_frame(options.source, options.at, on_frame=progress.update)
    given = [
        parse_region(kind, argument, frame.size)
        for kind in KINDS
        for argument in getattr(options, kind)
    ]
    if options.grid is not None:
        write_grid(frame, options.grid, given)
        _show(options, frame, given)
        return DONE
    finished, regions = _draw(frame, given, options)
    _show(options, frame, regions)
    return DONE if finished else INTERRUPTED


def _draw(
    frame: PickedFrame, given: list[DrawnRegion], options: argparse.Namespace
) -> tuple[bool, list[DrawnRegion]]:
    """Whether the user finished in the page, and what is drawn."""
    from tallylens.pick.server import PickServer

    server = PickServer(frame, given, options.port)
    try:
        opened = not options.no_browser and _open_browser(server.url_once)
        where = "The page is open in your browser; its address is" if opened else "Open"
        print(f"tallylens: {where} {server.url} (Ctrl-C ends)", file=sys.stderr, flush=True)
        # Windows does not interrupt a wait without a limit.
        while not server.done.wait(WAIT_S):
            pass
    except KeyboardInterrupt:
        return False, server.regions
    finally:
        server.close()
    return True, server.regions


def _open_browser(url: str) -> bool:
    """Open the user's graphical browser; a browser for terminals would take this terminal."""
    import webbrowser

    displays = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform.startswith("linux") and not any(map(os.environ.get, displays)):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def _show(options: argparse.Namespace, frame: PickedFrame, regions: list[DrawnRegion]) -> None:
    from tallylens.pick.drawing import as_options, quoted

    arguments = as_options(regions)
    for region in regions:
        problem = region.problem()
        if problem is not None:
            print(f"tallylens: left out: {printable(problem)}", file=sys.stderr)
    if options.json:
        print_json(_document(options, frame, arguments))
    elif arguments:
        print(quoted(arguments))
    elif options.grid is not None:
        print(f"wrote {printable(str(options.grid))}")


def _document(
    options: argparse.Namespace, frame: PickedFrame, arguments: list[str]
) -> dict[str, Any]:
    width, height = frame.size
    return {
        "source": frame.source,
        "at_s": round(frame.at_s, 3),
        "width": width,
        "height": height,
        "options": arguments,
        "grid": None if options.grid is None else str(options.grid),
    }

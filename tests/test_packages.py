"""The list of packages in setup.cfg, which setuptools cannot find by itself, is complete."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_setup_cfg_lists_every_package() -> None:
    options = ConfigParser()
    options.read(ROOT / "setup.cfg")
    listed = options["options"]["packages"].split()
    folders = {
        package: folder
        for package, _, folder in (
            line.partition(" = ") for line in options["options"]["package_dir"].strip().splitlines()
        )
    }
    found = {
        ".".join([package, *file.parent.relative_to(ROOT / folder).parts])
        for package, folder in folders.items()
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert sorted(listed) == sorted(found)

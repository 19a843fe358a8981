#!/usr/bin/env python3
"""The reference that capi/reference.py makes is complete: everything that abi.json has is in
bnq.html, whose links all lead somewhere, each function has a manual page, and groff, where it
is there, finds nothing to warn of.
"""
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from common import ROOT, report

VOID = {"meta"}


class Page(html.parser.HTMLParser):
    """The ids, links and unbalanced tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.problems = [], set(), [], []
        self.feed(text)
        self.problems += [f"bnq.html: <{tag}> stays open" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        if attributes.get("href", "").startswith("#"):
            self.links.add(attributes["href"][1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"bnq.html:{self.getpos()[0]}: </{tag}> closes another")


def names_of(abi):
    """(functions, all names) of abi.json."""
    functions = [one["name"] for kind in ("functions", "experimental") for one in abi[kind]]
    others = [one["name"] for kind in ("callbacks", "structs") for one in abi[kind]]
    others += abi["handles"] + list(abi["macros"])
    others += [constant["name"] for enum in abi["enums"] for constant in enum]
    return functions, functions + others


def groff_problems(folder):
    if not shutil.which("groff"):
        return
    pages = sorted(path.relative_to(folder).as_posix() for path in folder.glob("man3/*.3"))
    run = subprocess.run(["groff", "-ww", "-man", "-z", *pages], cwd=folder, text=True,
                         capture_output=True, check=False)
    yield from run.stderr.splitlines()[:20]


def main():
    functions, names = names_of(json.loads((ROOT / "capi/abi.json").read_text("utf-8")))
    problems = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.executable, ROOT / "capi/reference.py", folder], check=True)
        page = Page((folder / "bnq.html").read_text("utf-8"))
        problems += page.problems
        problems += [f"bnq.html has no {one}" for one in names if one not in page.ids]
        problems += [f"bnq.html has {one} twice" for one in set(page.ids)
                     if page.ids.count(one) > 1]
        problems += [f"bnq.html links to {one}" for one in page.links - set(page.ids)]
        header = (folder / "man3/bnq.h.3").read_text("utf-8").replace("\\-", "-")
        problems += [f"bnq.h(3) has no {one}" for one in names
                     if not re.search(rf"\b{one}\b", header)]
        for function in functions:
            path = folder / "man3" / f"{function}.3"
            text = path.read_text("utf-8") if path.exists() else ""
            if text.startswith(".so "):
                text = (folder / text.split()[1]).read_text("utf-8")
            if f"{function}(" not in text.partition(".SH SYNOPSIS")[2].partition(".SH")[0]:
                problems.append(f"{function}(3) does not show it")
        problems += groff_problems(folder)
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes the reference of the C API from bnq.h and bnq_x.h: their words, with links.

    capi/reference.py OUT_DIR    writes OUT_DIR/bnq.html, one page, and OUT_DIR/man3: a page
                                 of each function, and bnq.h(3) with the rest

The headers are prose in plain comments, laid out by hand; this script understands their
layout and nothing more: sections, a comment before what it is about, paragraphs, what is
indented (kept as it is, or the rest of an item), and names.
"""
import html
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
VERSION = (HERE.parent / "packaging" / "VERSION").read_text("utf-8").strip()
NAME = re.compile(r"\b(?:bnq|BNQ)_\w+")
#: What is of the compiler, and of no reader.
SKIPPED = re.compile(r"#(include|if|el|end|undef)|#define BNQ_(BNQ_X?_?H_|BNQ_X_H_|API)\b"
                     r'|extern "C"|\}$')


class Entry:
    """Declarations that belong together, and the comment before them."""

    def __init__(self, comment):
        self.comment, self.code = comment, []

    def names(self):
        """What is declared, in order."""
        text = re.sub(r"/\*.*?\*/", "", "\n".join(self.code), flags=re.DOTALL)
        found = re.findall(r"#define (\w+)|BNQ_API [^;(]*?\b(bnq_\w+)\(|\(\*(bnq_\w+)\)|"
                           r"typedef [^;{}()]*?\b(bnq_\w+);|\} (bnq_\w+);|\b(BNQ_\w+) =", text)
        return list(dict.fromkeys("".join(one) for one in found))

    def shown(self):
        """The code without the mark of what is exported, and what stood under it in line."""
        lines, indented = [], False
        for line in self.code:
            if line.startswith("BNQ_API "):
                line, indented = line[len("BNQ_API "):], True
            elif indented and line.startswith(" " * len("BNQ_API ")):
                line = line[len("BNQ_API "):]
            else:
                indented = False
            lines.append(line)
        return lines

    def functions(self):
        text = re.sub(r"/\*.*?\*/", "", "\n".join(self.code), flags=re.DOTALL)
        return re.findall(r"BNQ_API [^;(]*?\b(bnq_\w+)\(", text)


class Section:
    """A numbered part of the header."""

    def __init__(self, title):
        self.title, self.entries = title, []
        self.id = re.sub(r"\W+", "-", re.sub(r"^\d+\. ", "", title).lower()).strip("-")


def comment_lines(lines):
    """The text of a comment, without its frame."""
    text = re.sub(r"\s*\*/$", "", "\n".join(lines))
    return [re.sub(r"^(/\*| \*) ?", "", line).rstrip() for line in text.split("\n")]


def parse(path, title):
    """The sections of a header."""
    sections = [Section(title)]
    lines = path.read_text("utf-8").splitlines()
    comment, entry, at = [], None, 0
    while at < len(lines):
        begin = at
        if lines[at].startswith("/* ----"):
            heading = re.sub(r"^/\* (.*?) *\*/$", r"\1", lines[at + 1])
            sections.append(Section(heading))
            at += 2
            comment = []
        elif lines[at].startswith("/*"):
            while not lines[at].endswith("*/"):
                at += 1
            at += 1
            if comment:
                sections[-1].entries.append(Entry(comment))
            comment, entry = comment_lines(lines[begin:at]), None
        elif not lines[at]:
            at += 1
            if comment and at < len(lines) and lines[at].startswith(("/*", "#if")):
                sections[-1].entries.append(Entry(comment))
                comment = []
            entry = None
        else:
            depth = 0
            while True:
                code = re.sub(r"/\*.*?\*/", "", lines[at])
                depth += code.count("{") + code.count("(") - code.count("}") - code.count(")")
                inside = lines[at].endswith("\\") or (depth > 0 and "extern" not in code)
                statement = lines[begin].startswith("#") or code.rstrip().endswith((";", "{", "}"))
                at += 1
                if not inside and statement:
                    break
            if SKIPPED.match(lines[begin]):
                if comment and not sections[-1].entries:
                    sections[-1].entries.append(Entry(comment))
                    comment = []
                continue
            if entry is None or comment:
                entry = Entry(comment)
                sections[-1].entries.append(entry)
                comment = []
            entry.code += lines[begin:at]
    return sections


def blocks(lines):
    """A comment as ("text", words) and ("as is", lines): what is indented more than the rest
    of an item, or has columns, is kept as it is."""
    found = []
    for line in lines:
        body = line.lstrip()
        indent = len(line) - len(body)
        last = found[-1][0] if found else None
        if not body:
            found.append(("end", None))
        elif indent == 0 and last == "text" and not found[-1][2]:
            found[-1] = ("text", found[-1][1] + " " + body, False)
        elif indent == 0:
            found.append(("text", body, False))
        elif last == "text" and indent == 2 and "  " not in body:
            found[-1] = ("text", found[-1][1] + " " + body, True)
        elif last == "as is":
            found[-1][1].append(line)
        else:
            found.append(("as is", [line]))
    return [block[:2] for block in found if block[0] != "end"]


# --- One HTML page

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; --code: #8881; --link: #06c }
@media (prefers-color-scheme: dark) { :root { --link: #6bf } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: flex }
nav { flex: 0 0 16em; padding: 1em; height: 100vh; overflow: auto; position: sticky; top: 0;
      box-sizing: border-box; border-right: 1px solid var(--line); font-size: 14px }
nav ol { list-style: none; padding: 0 } nav li { margin: .3em 0 }
main { padding: 1em 2em; max-width: 54em; min-width: 0 }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
pre { font: 14px/1.45 ui-monospace, monospace; overflow-x: auto; margin: .5em 0 }
pre.code { background: var(--code); padding: .6em .8em; border-radius: 4px }
pre .comment { color: var(--quiet) }
.entry { border-top: 1px solid var(--line); padding: .6em 0 }
:target { background: #fc04 }
@media (max-width: 50em) { body { display: block } nav { position: static; height: auto } }
"""


class Page:
    """bnq.html."""

    def __init__(self, sections):
        self.anchors = {name for section in sections for entry in section.entries
                        for name in entry.names()}
        contents = "".join(f'<li><a href="#{section.id}">{html.escape(section.title)}</a></li>'
                           for section in sections)
        body = "".join(self._section(section) for section in sections)
        self.text = (f"<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
                     f"<meta name=viewport content='width=device-width'>\n"
                     f"<title>libbnq {VERSION}: the C API</title>\n<style>{STYLE}</style></head>\n"
                     f"<body><nav><b>libbnq {VERSION}</b><ol>{contents}</ol></nav>\n"
                     f"<main><h1>The C API of libbnq</h1>\n{body}</main></body></html>\n")

    def _link(self, escaped, declared=()):
        def name(match):
            word = match.group()
            if word in declared:
                return f'<a id="{word}" href="#{word}"><b>{word}</b></a>'
            return f'<a href="#{word}">{word}</a>' if word in self.anchors else word
        return NAME.sub(name, escaped)

    def _code(self, entry):
        """Each name is an anchor where it stands first, outside comments."""
        left = set(entry.names())
        lines = []
        for part in re.split(r"(/\*.*?\*/)", "\n".join(entry.shown()), flags=re.DOTALL):
            if part.startswith("/*"):
                lines.append(f'<span class=comment>{self._link(html.escape(part))}</span>')
                continue
            at, text = 0, ""
            for match in NAME.finditer(part):
                declared = {match.group()} & left
                left -= declared
                text += html.escape(part[at:match.start()]) + self._link(match.group(), declared)
                at = match.end()
            lines.append(text + html.escape(part[at:]))
        return f"<pre class=code>{''.join(lines)}</pre>\n"

    def _section(self, section):
        parts = [f'<h2 id="{section.id}">{html.escape(section.title)}</h2>\n']
        for entry in section.entries:
            parts.append("<div class=entry>\n")
            if entry.code:
                parts.append(self._code(entry))
            for kind, content in blocks(entry.comment):
                if kind == "text":
                    parts.append(f"<p>{self._link(html.escape(content))}</p>\n")
                else:
                    parts.append(f"<pre>{self._link(html.escape(chr(10).join(content)))}</pre>\n")
            parts.append("</div>\n")
        return "".join(parts)


# --- Manual pages

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def roff_code(lines):
    return "\n".join([".nf", *map(roff, lines), ".fi"])


def roff_comment(lines):
    parts = []
    for kind, content in blocks(lines):
        parts.append(".PP\n" + roff(content) if kind == "text" else
                     ".PP\n.RS\n" + roff_code(content) + "\n.RE")
    return "\n".join(parts)


def head(name):
    return (f'.\\" Made by capi/reference.py from the header.\n'
            f'.TH {roff(name)} 3 "" "libbnq {VERSION}" "libbnq"')


def summary(comment):
    """The first sentence, for the line that whatis shows."""
    text = " ".join(" ".join(comment).split())
    text = re.split(r"(?<=[^.][a-z0-9)\"|])[.:;] |\. ?Since ", text)[0].rstrip(".")
    return text if len(text) < 200 else text[:text.rfind(" ", 0, 200)] + " ..."


def function_page(entry, header, known):
    """One page, under the name of the first function, for all of an entry."""
    functions = entry.functions()
    others = [word for word in dict.fromkeys(NAME.findall(" ".join(entry.comment)))
              if word in known and word not in functions]
    see = [f".BR {roff(name)} (3)" for name in ["bnq.h", *others]]
    return "\n".join([
        head(functions[0]), ".SH NAME",
        f"{roff(', '.join(functions))} \\- {roff(summary(entry.comment) or 'see bnq.h(3)')}",
        ".SH SYNOPSIS", roff_code([f"#include <bnq/{header}>", "", *entry.shown()]),
        ".SH DESCRIPTION", roff_comment(entry.comment) or "See\n.BR bnq.h (3).",
        ".SH SEE ALSO", " ,\n".join(see), ""])


def header_page(sections):
    """bnq.h(3): what is no function, and the functions' names."""
    parts = [head("bnq.h"), ".SH NAME", f"bnq.h \\- {roff('the C API of libbnq')}", ".SH SYNOPSIS",
             roff_code(["#include <bnq/bnq.h>", "cc program.c $(pkg-config --cflags --libs bnq)"]),
             ".SH DESCRIPTION"]
    for number, section in enumerate(sections):
        if number:
            parts.append(f".SH {roff(section.title.upper())}")
        for entry in section.entries:
            functions = entry.functions()
            if functions and functions == entry.names():
                parts += [f".TP\n.BR {roff(name)} (3)" for name in functions[:1]]
                parts += [f".TQ\n.BR {roff(name)} (3)" for name in functions[1:]]
                parts.append(roff(summary(entry.comment)) or ".br")
                continue
            if entry.code:
                parts.append(".PP\n" + roff_code(entry.shown()))
            parts.append(roff_comment(entry.comment))
    return "\n".join(part for part in parts if part) + "\n"


def main():
    out = pathlib.Path(sys.argv[1])
    include = HERE / "include" / "bnq"
    stable = parse(include / "bnq.h", "1. Conventions")
    experimental = parse(include / "bnq_x.h", "bnq_x.h: what may still change")
    (out / "man3").mkdir(parents=True, exist_ok=True)
    (out / "bnq.html").write_text(Page(stable + experimental).text, "utf-8")
    pages = {"bnq.h": header_page(stable + experimental)}
    known = {name for section in stable + experimental for entry in section.entries
             for name in entry.functions()}
    for header, sections in (("bnq.h", stable), ("bnq_x.h", experimental)):
        for section in sections:
            for entry in section.entries:
                functions = entry.functions()
                if functions:
                    pages[functions[0]] = function_page(entry, header, known)
                for name in functions[1:]:
                    pages[name] = f".so man3/{functions[0]}.3\n"
    for name, text in pages.items():
        (out / "man3" / f"{name}.3").write_text(text, "utf-8")


if __name__ == "__main__":
    main()

"""A document of headings, tables and pictures, as Markdown and as one HTML file."""

import base64
import dataclasses
import json
from collections.abc import Iterable, Sequence

from kerasplm.report.plain import in_html, in_markdown

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em;
  padding: 0 1em; color: #222; background: #fff }
h1, h2 { border-bottom: 1px solid #ccc; padding-bottom: .2em }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .7em 0; font-size: 14px }
th, td { border: 1px solid #ccc; padding: .25em .6em; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; min-width: 3em }
th { background: #f2f2f2 }
td.number { text-align: right; white-space: nowrap }
.pictures { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start }
figure { margin: 0 } figcaption { font-size: 13px; color: #555 }
img { max-width: 100% } pre { background: #f6f6f6; padding: .8em; overflow-x: auto }
summary { cursor: pointer; font-weight: 600; margin: .5em 0 }
""".strip()
# Nothing is fetched and nothing runs, whatever stands in the texts.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading.

    Args:
        text: The text.
        level: 1 is the title.
    """

    text: str
    level: int = 2


@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclasses.dataclass(frozen=True)
class Code:
    """Lines of a program, which are our own.

    Args:
        text: The lines.
        language: For colours.
    """

    text: str
    language: str = "python"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: Their names.
        rows: Their cells.
        title: What to click at to see it; "" shows it at once.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        png: The file.
        title: What it shows.
        name: Its file name, beside the Markdown.
    """

    png: bytes
    title: str
    name: str


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures side by side."""

    pictures: Sequence[Picture]


Block = Heading | Text | Code | Table | Pictures


def markdown(blocks: Iterable[Block], folder: str = "") -> str:
    """Return blocks as Markdown.

    Args:
        blocks: The content.
        folder: Where the files of the pictures lie, relative to the text.
    """
    return "\n\n".join(_markdown(block, folder) for block in blocks) + "\n"


def web_page(title: str, blocks: Iterable[Block]) -> str:
    """Return blocks as one HTML file that needs no other.

    Args:
        title: Of the window.
        blocks: The content.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{in_html(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            *(_html(block) for block in blocks),
            "</body>\n</html>\n",
        ]
    )


def _markdown(block: Block, folder: str) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {in_markdown(block.text)}"
    if isinstance(block, Text):
        return in_markdown(block.text)
    if isinstance(block, Code):
        return f"```{block.language}\n{block.text}\n```"
    if isinstance(block, Table):
        lines = [block.columns, ["---"] * len(block.columns), *block.rows]
        cells = [
            line if n == 1 else [in_markdown(cell) for cell in line]
            for n, line in enumerate(lines)
        ]
        head = [f"**{in_markdown(block.title)}**\n"] if block.title else []
        return "\n".join(head + [f"| {' | '.join(map(str, x))} |" for x in cells])
    return "\n".join(
        f"![{in_markdown(picture.title)}]({folder}/{picture.name})"
        for picture in block.pictures
    )


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{in_html(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p>{in_html(block.text)}</p>"
    if isinstance(block, Code):
        return f"<pre>{in_html(block.text)}</pre>"
    if isinstance(block, Table):
        return _table(block)
    figures = (
        f'<figure><img alt="{in_html(p.title)}" src="data:image/png;base64,'
        f'{base64.b64encode(p.png).decode()}"><figcaption>{in_html(p.title)}'
        "</figcaption></figure>"
        for p in block.pictures
    )
    return '<div class="pictures">\n' + "\n".join(figures) + "\n</div>"


def _table(block: Table) -> str:
    head = "".join(f"<th>{in_html(column)}</th>" for column in block.columns)
    lines = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in block.rows]
    table = (
        f'<div class="wide"><table>\n<tr>{head}</tr>\n' + "\n".join(lines) + "\n"
        "</table></div>"
    )
    if not block.title:
        return table
    title = in_html(block.title)
    return f"<details><summary>{title}</summary>\n{table}\n</details>"


def _cell(value: object) -> str:
    text = in_html(value)
    number = text[:1].isdigit() or text[:1] in ("-", "+")
    short = len(text) < 20 and "<" not in text
    return f'<td class="number">{text}</td>' if number and short else f"<td>{text}</td>"


def quoted(text: str) -> str:
    """Return a text as YAML and JSON both read it."""
    return json.dumps(text, ensure_ascii=False)

"""Raw text in blocks."""

import io
import random

import pytest

from kerasplm.errors import DataError
from kerasplm.pretraining import documents
from kerasplm.pretraining.documents import Block, find_files, plan, read


def texts(tmp_path, *contents):
    files = []
    for n, content in enumerate(contents):
        path = tmp_path / f"{n}.txt"
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        path.write_bytes(data)
        files.append((str(path), len(data)))
    return files


def every_document(blocks):
    return [document for block in blocks for document in read(block)]


def test_lines_and_documents(tmp_path):
    text = "\ufeff今天 \n  天气好\r\n\r\n\u3000\n\n第二篇\n"
    blocks = plan(texts(tmp_path, text, "第三篇"), 1000)
    assert len(blocks) == 1
    assert every_document(blocks) == [["今天", "天气好"], ["第二篇"], ["第三篇"]]


def test_lines_of_old_macs_and_of_text_converted_twice(tmp_path):
    mac, twice, stray = "一\r二\r\r三\r", "一\r\r\n二\r\r\n\r\r\n三", "一\r二\n\n三\r\n"
    for text in (mac, twice, stray):
        assert every_document(plan(texts(tmp_path, text), 99)) == [["一", "二"], ["三"]]


def test_a_line_ends_nowhere_else(tmp_path):
    assert every_document(plan(texts(tmp_path, "一\u2028二\n三\x85四"), 9)) == [
        ["一\u2028二", "三\x85四"]
    ]


@pytest.mark.parametrize("size", [1, 7, 40, 200, 5000])
def test_blocks_hold_whole_documents(tmp_path, size, monkeypatch):
    monkeypatch.setattr(documents, "_WINDOW", 16)
    rng = random.Random(size)
    gaps = ["\n\n", "\n \n", "\n\u3000\r\n", "\n\n\n\n"]
    written = [
        [f"第{n}篇" + "字" * rng.randrange(9) for _ in range(rng.randint(1, 4))]
        for n in range(60)
    ]
    halves = [written[:40], written[40:]]
    files = texts(
        tmp_path,
        *("".join("\n".join(d) + rng.choice(gaps) for d in half) for half in halves),
    )
    blocks = plan(files, size)
    assert every_document(blocks) == written
    assert [block.number for block in blocks] == list(range(len(blocks)))
    if size < 5000:
        assert len(blocks) > 1
    for block in blocks[:-1]:
        assert sum(part.end - part.start for part in block.parts) >= size
    assert [Block.from_json(block.to_json()) for block in blocks] == blocks


def test_long_documents_are_cut_at_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_DOCUMENT", 100)
    monkeypatch.setattr(documents, "_WINDOW", 16)
    lines = [f"{n:03}" + "x" * 6 for n in range(100)]
    blocks = plan(texts(tmp_path, "\n".join(lines)), 50)
    parts = [part for block in blocks for part in block.parts]
    assert [line for document in every_document(blocks) for line in document] == lines
    assert all(part.end - part.start < 300 for part in parts)
    assert sum(part.cut for part in parts) == len(parts) - 1 > 2


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_DOCUMENT", 1 << 20)
    files = texts(tmp_path, "一\n二\n\n" + "x" * (3 << 20))
    with pytest.raises(
        DataError, match=r"0.txt:4: expected one sentence per line, fou"
    ):
        plan(files, 9)


def test_not_utf8(tmp_path):
    good = "好的\n\n" * 40
    files = texts(tmp_path, good.encode() + b"a\n\xc4\xe3\xba\xc3\n")
    blocks = plan(files, 100)
    assert len(blocks) > 1
    message = r"0.txt:82: expected text in UTF-8, found the byte 0xc4 at byte 322"
    with pytest.raises(DataError, match=message):
        every_document(blocks)


def test_a_file_that_shrinks(tmp_path):
    files = texts(tmp_path, "好的\n" * 40)
    blocks = plan(files, 1000)
    texts(tmp_path, "好的\n" * 20)
    with pytest.raises(DataError, match="expected 280 bytes, found 140: it changed"):
        every_document(blocks)


def test_find_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "deep/er/c.txt", "x.md", "with,comma"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert find_files(["*.txt"]) == ["a.txt", "b.txt"]
    assert find_files(["b.txt,x.md", "a.txt", "b.txt"]) == ["b.txt", "x.md", "a.txt"]
    assert find_files(["."]) == ["a.txt", "b.txt", "deep/er/c.txt"]
    assert find_files(["**/c.txt"]) == ["deep/er/c.txt"]
    assert find_files(["with,comma"]) == ["with,comma"]
    for names in (["a.txt", "no*.txt"], ["deep"], ["none.txt"], [","]):
        if names == ["deep"]:
            assert find_files(names) == ["deep/er/c.txt"]
            continue
        with pytest.raises(DataError, match="expected"):
            find_files(names)


def test_block_size_depends_on_the_corpus():
    assert documents.block_size(1) == 64 << 10
    assert documents.block_size(32 << 20) == 1 << 19
    assert documents.block_size(1 << 40) == 1 << 20


def test_files_may_lie_elsewhere():
    """A pipeline on other machines opens files its own way."""
    data = "一\n\n二\n".encode()
    blocks = plan([("there", len(data))], 1, lambda name: io.BytesIO(data))
    assert len(blocks) == 2
    found = [d for b in blocks for d in read(b, lambda name: io.BytesIO(data))]
    assert found == [["一"], ["二"]]

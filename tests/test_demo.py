"""The demo on a part of its reviews: the whole path, quickly."""

import json

from kerasplm import demo


def test_demo(tmp_path, monkeypatch, capsys):
    for file in demo.REVIEWS.iterdir():
        rows = file.read_text(encoding="utf-8").splitlines(keepends=True)[:65]
        part = tmp_path / "reviews" / file.name
        part.parent.mkdir(exist_ok=True)
        part.write_text("".join(rows), encoding="utf-8")
    monkeypatch.setattr(demo, "REVIEWS", tmp_path / "reviews")
    demo.run(tmp_path / "out")
    printed = capsys.readouterr().out
    assert all(sentence in printed for sentence in demo.SENTENCES)
    assert (tmp_path / "out" / "learning_curve.png").is_file()
    scores = json.loads((tmp_path / "out" / "results.json").read_text())["scores"]
    assert scores["dev"]["examples"] == 64

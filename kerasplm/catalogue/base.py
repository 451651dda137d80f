"""What a row of the catalogue says: a model, where it lies, what it holds."""

import dataclasses
import textwrap
from collections.abc import Mapping
from typing import Any, Literal

Part = Literal["", "discriminator", "generator"]

BY_HAND = (
    "Open the link in a browser, download, and pass the folder or archive to load()."
)
_BY_CODE = f"{BY_HAND} Baidu asks for the code."


@dataclasses.dataclass(frozen=True, kw_only=True)
class HuggingFace:
    """A repository on the Hugging Face hub.

    Args:
        repo: "owner/name"; holds config.json, vocab.txt, and model.safetensors or
            pytorch_model.bin.
        part: The network of ELECTRA that it holds, or "" for all there is.
        note: Who made it, if not the publisher, and how it differs.
    """

    repo: str
    part: Part = ""
    note: str = ""

    @property
    def url(self) -> str:
        """Page of the repository."""
        return f"https://huggingface.co/{self.repo}"

    def describe(self) -> str:
        """Return one line, with the note behind it."""
        part = f" ({self.part})" if self.part else ""
        return _line(f"Hugging Face {self.repo}{part}", self.note)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """A file that one plain HTTPS request fetches.

    Args:
        url: Address of a .zip or .tar.gz.
        sha256: Its digest in hexadecimal digits, or "" if none is known.
        note: What to know about it.
    """

    url: str
    sha256: str = ""
    note: str = ""

    def describe(self) -> str:
        """Return one line, with digest and note behind it."""
        digest = f" sha256 {self.sha256}" if self.sha256 else ""
        return _line(f"{self.url}{digest}", self.note)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manual:
    """A place from which only a person can download.

    Args:
        url: The page.
        host: Who runs it, such as "Google Drive" or "Baidu Pan".
        code: Extraction code that the page asks for, or "".
        note: What to do there.
    """

    url: str
    host: str
    code: str = ""
    note: str = BY_HAND

    def describe(self) -> str:
        """Return one line, with code and note behind it."""
        code = f", code {self.code}" if self.code else ""
        return _line(f"{self.host} {self.url}{code}", self.note)


Source = HuggingFace | Archive | Manual


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """A vocabulary file that several models share.

    Args:
        tokens: Number of tokens.
        sha256: Digest of the file, or "" if none is known.
        about: What to know about it, one sentence.
    """

    tokens: int
    sha256: str = ""
    about: str = ""


VOCABULARIES = {
    "google-zh": Vocabulary(
        tokens=21128,
        sha256="45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c",
        about="Google's Chinese BERT: characters and word pieces, lower case.",
    ),
    "google-albert-zh": Vocabulary(
        tokens=21128,
        about="Google's Chinese ALBERT (vocab_chinese.txt): two columns, of which the "
        "first is the token.",
    ),
    "google-multilingual-cased": Vocabulary(
        tokens=119547, about="Google's multilingual BERT: 104 languages, case kept."
    ),
    "en-uncased": Vocabulary(tokens=30522, about="Google's English BERT, lower case."),
    "simbert": Vocabulary(
        tokens=13685,
        sha256="6e8490336e9ea013b7cb5cc4b27e7a3daa82907bb851402531f6810c76303fbd",
        about="A subset of Google's Chinese vocabulary without [MASK]; rules that "
        "simplify the full one give another number.",
    ),
    "wobert": Vocabulary(
        tokens=33586, about="Characters and 20,000 words that jieba cuts, lower case."
    ),
    "zhuiyi-50000": Vocabulary(
        tokens=50000,
        about="Characters and words that jieba cuts, lower case; the first 106 tokens "
        "of T5-PEGASUS are those of Google's BERT.",
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """Describe one released model.

    Args:
        name: `{model}-{size}-{language}.{publisher}`.
        title: What its publisher calls it.
        family: Key of `kerasplm.FAMILIES`: how its variables are named.
        config: `kerasplm.Config` fields that a load of the original gives: the sizes,
            and all that differs from the defaults.
        parameters: Weights of the network, with the pooler if the release has one,
            without heads. Of ELECTRA: of the discriminator.
        heads: Which of "mlm", "sentence_pair", "rtd" the release holds, trained.
        vocabulary: Key of `VOCABULARIES`.
        lowercase: Whether its tokenizer folds case.
        sources: Where it lies, best first.
        files: Names inside the published archive, as far as known.
        size: Size of the download as published, such as "400 MB", or "".
        licence: What the publisher says, or "not stated".
        paper: arXiv ids or an address; "" if there is none.
        learning_rates: For fine-tuning, from its publisher or from CLUE's published
            recipes, ascending; () if nobody gives one.
        notes: One sentence each: limits, traps, what is uncertain.
        generator: Of ELECTRA: the `Config` fields of the generator.
        generator_parameters: Weights of the generator with the embeddings that it
            shares with the discriminator, without heads.
    """

    name: str
    title: str
    family: str
    config: Mapping[str, Any]
    parameters: int
    heads: tuple[str, ...]
    vocabulary: str
    lowercase: bool
    sources: tuple[Source, ...]
    files: tuple[str, ...]
    size: str
    licence: str
    paper: str
    learning_rates: tuple[float, ...]
    notes: tuple[str, ...] = ()
    generator: Mapping[str, Any] | None = None
    generator_parameters: int = 0

    @property
    def downloads(self) -> bool:
        """Whether a program can fetch it; else only a person can."""
        return any(not isinstance(source, Manual) for source in self.sources)

    @property
    def publisher(self) -> str:
        """Who released it: the last part of the name."""
        return self.name.rsplit(".", 1)[1]

    def describe(self) -> str:
        """Return all fields as readable text of several lines."""
        words = VOCABULARIES[self.vocabulary]
        case = "lower case" if self.lowercase else "case kept"
        rates = ", ".join(f"{rate:g}" for rate in self.learning_rates)
        rows = {
            "family": self.family,
            "parameters": f"{self.parameters:,} without heads",
            "heads": ", ".join(self.heads) or "none",
            "config": _fields(self.config),
        }
        if self.generator is not None:
            rows["generator"] = (
                f"{self.generator_parameters:,} parameters; {_fields(self.generator)}"
            )
        rows |= {
            "vocabulary": f"{self.vocabulary}, {words.tokens} tokens, {case}. "
            f"{words.about}",
            "learning rates": rates or "not stated",
            "size": self.size or "not stated",
            "files": ", ".join(self.files) or "not stated",
            "licence": self.licence,
            "paper": self.paper or "none",
        }
        lines = [f"{self.name}: {self.title}"]
        lines += [_wrap(f"{key + ':':<16}{text}", 18) for key, text in rows.items()]
        lines += ["  sources, best first:"]
        lines += [_wrap(f"- {source.describe()}", 4) for source in self.sources]
        if self.notes:
            lines += ["  notes:", *(_wrap(f"- {note}", 4) for note in self.notes)]
        return "\n".join(lines)


def _line(text: str, note: str) -> str:
    return f"{text}: {note}" if note else text


def _fields(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in config.items())


def _wrap(text: str, indent: int) -> str:
    return textwrap.fill(
        text,
        width=96,
        initial_indent="  ",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def network(
    layers: int,
    hidden: int,
    heads: int,
    intermediate: int | None = None,
    /,
    vocabulary: int = 21128,
    **more: Any,
) -> dict[str, Any]:
    """Return the `Config` fields of a row: all sizes, and what differs.

    Args:
        layers: `num_hidden_layers`.
        hidden: `hidden_size`.
        heads: `num_attention_heads`.
        intermediate: `intermediate_size`; four times `hidden` if not given.
        vocabulary: `vocab_size`.
        **more: Other fields.
    """
    return {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate or 4 * hidden,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        **more,
    }


def checkpoint(prefix: str, meta: bool = True) -> tuple[str, ...]:
    """Return the files of a TF1 checkpoint; bert4keras writes no graph (.meta)."""
    endings = ("index", "meta", "data-00000-of-00001")
    return tuple(f"{prefix}.{end}" for end in endings if meta or end != "meta")


def drive(file: str, note: str = "") -> Manual:
    """Return a file on Google Drive by its id."""
    url = f"https://drive.google.com/file/d/{file}/view"
    return Manual(url=url, host="Google Drive", note=f"{note} {BY_HAND}".strip())


def drive_folder(folder: str) -> Manual:
    """Return a folder on Google Drive by its id."""
    return Manual(
        url=f"https://drive.google.com/drive/folders/{folder}",
        host="Google Drive",
        note="Download all files of the folder into one folder and pass it to load().",
    )


def baidu(share: str, code: str = "") -> Manual:
    """Return a share on Baidu Pan by its id and extraction code."""
    note = _BY_CODE if code else BY_HAND
    url = f"https://pan.baidu.com/s/{share}"
    return Manual(url=url, host="Baidu Pan", code=code, note=note)


def linked_from(page: str, code: str) -> Manual:
    """Return a share on Baidu Pan whose link stands on the project's page."""
    note = f"The link to Baidu Pan stands on this page. {_BY_CODE}"
    return Manual(url=page, host="Baidu Pan", code=code, note=note)

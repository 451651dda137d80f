"""Generate texts: a decoder with a memory over any model that scores next tokens."""

from kerasplm.generation.constraints import Constraint, Extract, Trie
from kerasplm.generation.decoder import Decoder, Generated
from kerasplm.generation.exporting import export_generator
from kerasplm.generation.next_token import NextToken
from kerasplm.generation.settings import Decoding
from kerasplm.generation.texts import generate, next_token

__all__ = [
    "Constraint",
    "Decoder",
    "Decoding",
    "Extract",
    "Generated",
    "NextToken",
    "Trie",
    "export_generator",
    "generate",
    "next_token",
]

"""Jieba, imported so that it says nothing."""

import logging
import warnings
from types import ModuleType


def quiet_jieba() -> ModuleType:
    """Return the package jieba.

    Raises:
        ImportError: It is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its regular expressions are old
        import jieba
    jieba.setLogLevel(logging.WARNING)  # not a line for every start
    return jieba

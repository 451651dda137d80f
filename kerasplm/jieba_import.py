"""Jieba, imported so that it says nothing."""

import logging
import warnings
from types import ModuleType

from kerasplm.errors import DataError


def import_jieba() -> ModuleType:
    """Return the package jieba, which then says nothing when it starts.

    Raises:
        DataError: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its regular expressions are old
            import jieba
    except ImportError as error:
        raise DataError(
            "jieba, which finds the words of Chinese text, is not installed: "
            "pip install 'kerasplm[jieba]'"
        ) from error
    jieba.setLogLevel(logging.WARNING)  # not a line for every start
    return jieba

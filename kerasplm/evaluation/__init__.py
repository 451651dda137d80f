"""The official scorers, as functions of plain Python objects, without TensorFlow.

    python -m kerasplm.evaluation.cmrc dev.json predictions.json

Each module stands alone: `cmrc` (CMRC 2018, DRCD, CJRC), `squad` (SQuAD 1.1 and 2.0),
`entities` (named entities, CLUENER), `triples` (relations), `labels` (classes, numbers,
choices). Each function says whether it returns percent or fractions: what the official
script returns.
"""

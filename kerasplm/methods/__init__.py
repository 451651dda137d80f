"""Training methods that regularise fine-tuning: FGM, PGD, penalty, R-Drop, VAT.

A method replaces the training step of a compiled model:

    model.compile(adamw(2e-5, steps), loss, method=FGM())

E is the word table of the encoder (V, E), L the loss of a batch; every norm is that
of the whole matrix. The gradient by E is dense: what several positions give to the
same word is summed first (bert4keras' gradient penalty sums the squares of the
unmerged rows, which depends on how the words repeat).

The perturbed table exists inside one call of the model only. The variable is never
touched, so that nothing has to be restored, and the decay, the means of the weights
and a skipped step of a loss-scaled optimizer see the clean table. Random numbers come
from the optimizer's step: there is no state besides the variables.

The methods need TensorFlow as the backend, on one device.
"""

from kerasplm.methods.adversarial import FGM, PGD, GradientPenalty
from kerasplm.methods.base import Method, MethodTraining
from kerasplm.methods.consistency import VAT, RDrop

__all__ = [
    "FGM",
    "PGD",
    "VAT",
    "GradientPenalty",
    "Method",
    "MethodTraining",
    "RDrop",
]

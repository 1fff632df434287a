"""Sums of products over named axes: matmul, dot, outer, tensordot and einsum are all this."""

import numpy as np

from wengert.ir.kinds import Contraction

einsum = Contraction(function=np.einsum,
    doc="Sum of products over the letters missing from the result; for bool, or of ands.")
scale_einsum = Contraction(name="scale_einsum", scaled=True,
    doc="einsum of a partial with a tangent or cotangent: a term with an exact 0 is 0, even against inf or NaN.")

"""erf by Abramowitz and Stegun's formula 7.1.26, evaluated in float32: how far that may be off, point by point.

    erf(z) = 1 - (c1*t + c2*t**2 + ... + c5*t**5) * exp(-z*z) + e,  t = 1/(1 + p*z),  abs(e) <= 1.5e-7,  z >= 0

PyTorch's vectorised gelu uses it on x86 at float32 and below (`Vectorized<float>::erf` in ATen/cpu/vec: Horner's rule
with fused multiply-adds, and SLEEF's `expf_u10`, whose 1.0 ulp is 2 u). The published bound is for exact arithmetic.
What float32 adds is followed to first order, as in Higham, Accuracy and Stability of Numerical Algorithms, 5.1: every
operation errs by u times what it makes, and the error of each is carried through what follows.
"""

from __future__ import annotations

import numpy as np
from flint import arb

PUBLISHED = 1.5e-7
SCALE = 0.3275911
COEFFICIENTS = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
U = 2.0**-24
EXPONENTIAL = 2
"""SLEEF's `expf_u10` in units of u."""


def _cast(number: float) -> float:
    """How far a constant moves when it becomes a float32."""
    return abs(float(np.float32(number)) - number)


MOVED = tuple(map(_cast, COEFFICIENTS))


def reach(z: arb) -> arb:
    """A bound on the absolute error of erf at any z of a ball: a ball whose upper end holds throughout."""
    a = abs(z)
    sum_ = 1 + SCALE * a
    t = 1 / sum_
    off = (_cast(SCALE) * a + U * sum_) * t + U  # relative, in t: the constant, the sum and the quotient
    power, slope = arb(0), arb(0)  # q(t) by Horner's rule, and its derivative
    rounded = arb(0)
    for place, (c, moved) in enumerate(zip(reversed(COEFFICIENTS), reversed(MOVED), strict=True)):
        slope = slope * t + power
        power = power * t + c
        rounded = rounded * t + moved + (U * abs(power) if place else 0)
    decay = (-a * a).exp()
    tail = abs(power) * t * decay
    product = EXPONENTIAL * U + U * a * a + U  # relative: the exponential, its rounded argument, and times t
    carried = decay * t * (rounded + off * abs(power + t * slope))
    return PUBLISHED + carried + tail * product + U * (1 + PUBLISHED - tail).abs_upper()

"""einsum, composed as PyTorch composes it: operands aligned, then contracted in pairs from the left."""

from math import prod
from typing import Any

from refgrad.ops.arithmetic import mul
from refgrad.ops.arranging import diagonal
from refgrad.ops.linear import bmm
from refgrad.ops.reductions import sum_dim
from refgrad.ops.shapes import reshaped
from refgrad.ops.shaping import permute, unsqueeze, view
from refgrad.public import check_tensor, public
from refgrad.record import apply


@public("einsum", bmm, mul, sum_dim, diagonal, permute, unsqueeze, view, method=False, inputs=("operands",))
def _(equation: str, *operands: Any) -> Any:
    """The sum over the subscripts that the result lacks of products of operands, as `equation` names them.

    RuntimeError for an equation that does not fit.
    """
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], tuple | list) else operands
    for position, x in enumerate(given):
        check_tensor("einsum", x, "operands", position + 2)
    subscripts, out = parsed(equation, [x._array.ndim for x in given])
    order = out + "".join(sorted({c for s in subscripts for c in s} - set(out), key=alphabetical))
    aligned = [along_all(x, s, order) for x, s in zip(given, subscripts, strict=True)]
    check_sizes(aligned, order)
    return contracted(aligned, len(out), len(order))


def alphabetical(letter: str) -> tuple[bool, str]:
    """Capital letters first, as PyTorch orders them."""
    return letter.islower(), letter


def parsed(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """The subscripts of each operand, and of the result: by default, in order, those that stand once."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    subscripts = left.split(",")
    if len(subscripts) != len(ranks):
        more = "fewer" if len(subscripts) > len(ranks) else "more"
        raise RuntimeError(f"einsum(): {more} operands were provided than specified in the equation")
    dots = dimensions_of_dots(subscripts, ranks)
    subscripts = [filled(s, dots, rank) for s, rank in zip(subscripts, ranks, strict=True)]
    right = right.replace(DOTS, dots)
    for position, (letters, rank) in enumerate(zip(subscripts, ranks, strict=True)):
        if len(letters) != rank:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(letters)}) does not match the number "
                f"of dimensions ({rank}) for operand {position} and no ellipsis was given"
            )
    every = "".join(subscripts)
    if not arrow:
        once = {c for c in every if every.count(c) == 1} | set(dots)
        return subscripts, "".join(sorted(once, key=alphabetical))
    for letter in right:
        if right.count(letter) > 1:
            raise RuntimeError(f"einsum(): output subscript {letter} appears more than once in the output")
        if letter not in every:
            raise RuntimeError(
                f"einsum(): output subscript {letter} does not appear in the equation for any input operand"
            )
    return subscripts, right


DOTS = "..."


def dimensions_of_dots(subscripts: list[str], ranks: list[int]) -> str:
    """A digit for each dimension that an ellipsis stands for in the operand where it stands for the most.

    Digits come before letters, as an ellipsis does in a result that is not named.
    """
    counts = [
        rank - len(s.replace(DOTS, "", 1)) for s, rank in zip(subscripts, ranks, strict=True) if DOTS in s
    ]
    for position, s in enumerate(subscripts):
        if "." in s.replace(DOTS, "", 1):
            raise RuntimeError(f"einsum(): found '.' for operand {position} that is not part of any ellipsis")
    return "".join(chr(ord("0") + k) for k in range(max(counts, default=0)))


def filled(letters: str, dots: str, rank: int) -> str:
    """The subscripts of one operand with an ellipsis written out, its dimensions counted from the last."""
    own = rank - len(letters.replace(DOTS, "", 1))
    return letters.replace(DOTS, dots[max(0, len(dots) - own) :], 1)


def along_all(x: Any, letters: str, order: str) -> Any:
    """`x` with one dimension for each subscript of `order`, of size 1 where it lacks it; diagonals taken."""
    places: dict[str, int] = {}
    for letter in letters:
        if letter not in places:
            places[letter] = len(places)
            continue
        first, last = places[letter], len(places)
        check_diagonal(x, letter, first, last)
        x = apply(diagonal, (x,), {"offset": 0, "dim1": first, "dim2": last})
        rest = list(range(x.ndim - 1))
        x = apply(permute, (x,), {"dims": (*rest[:first], x.ndim - 1, *rest[first:])})
    for letter in order:
        if letter not in places:
            x = apply(unsqueeze, (x,), {"dim": x.ndim})
            places[letter] = len(places)
    return apply(permute, (x,), {"dims": tuple(places[letter] for letter in order)})


def check_diagonal(x: Any, letter: str, first: int, last: int) -> None:
    """RuntimeError where a subscript stands for two sizes in one operand."""
    n, m = x._array.shape[last], x._array.shape[first]
    if n != m:
        raise RuntimeError(
            f"einsum(): subscript {letter} is repeated for operand but the sizes don't match, {n} != {m}"
        )


def check_sizes(aligned: list[Any], order: str) -> None:
    """RuntimeError where a subscript stands for two sizes, neither of which is 1."""
    for d, letter in enumerate(order):
        found = sorted({x._array.shape[d] for x in aligned} - {1})
        if len(found) > 1:
            raise RuntimeError(
                f"einsum(): subscript {letter} has size {found[1]} for operand which does not broadcast with "
                f"previously seen size {found[0]}"
            )


def contracted(aligned: list[Any], kept: int, count: int) -> Any:
    """The product of all operands, summed over the dimensions from `kept` on as soon as each can be."""
    if len(aligned) == 1:
        return aligned[0].sum(tuple(range(kept, count))) if count > kept else aligned[0]
    having = [sum(x._array.shape[d] != 1 for x in aligned) for d in range(count)]
    a, *rest = aligned
    for b in rest:
        together: list[int] = []
        of_a: list[int] = []
        of_b: list[int] = []
        for d in range(kept, count):
            in_a, in_b = a._array.shape[d] != 1, b._array.shape[d] != 1
            if in_a and in_b:
                having[d] -= 1
                if having[d] == 1:
                    together.append(d)
                    having[d] = 0
            elif having[d] == 1 and (in_a or in_b):
                (of_a if in_a else of_b).append(d)
                having[d] = 0
        a = a.sum(tuple(of_a), keepdim=True) if of_a else a
        b = b.sum(tuple(of_b), keepdim=True) if of_b else b
        a = paired(a, b, together)
    return a.view(a._array.shape[:kept]) if count > kept else a


def paired(a: Any, b: Any, summed: list[int]) -> Any:
    """The product of two aligned operands, with the dimensions `summed` summed and kept, as one bmm."""
    if not summed:
        return a * b
    m, n = a._array.shape, b._array.shape
    free = [d for d in range(len(m)) if d not in summed]
    both = [d for d in free if m[d] != 1 and n[d] != 1]
    first = [d for d in free if m[d] != 1 and n[d] == 1]
    second = [d for d in free if m[d] == 1]
    if first and second and second[-1] < first[0]:
        a, b, m, n, first, second = b, a, n, m, second, first
    sizes = [prod(m[d] for d in both), prod(m[d] for d in first), prod(n[d] for d in second)]
    total = prod(m[d] for d in summed)
    left = apply(permute, (a,), {"dims": (*both, *first, *summed, *second)})
    right = apply(permute, (b,), {"dims": (*both, *summed, *second, *first)})
    made = reshaped(left, (sizes[0], sizes[1], total)).bmm(reshaped(right, (sizes[0], total, sizes[2])))
    shape = (*(m[d] for d in (*both, *first)), *(1 for _ in summed), *(n[d] for d in second))
    order = [*both, *first, *summed, *second]
    back = tuple(order.index(d) for d in range(len(order)))
    return apply(permute, (made.view(shape),), {"dims": back})

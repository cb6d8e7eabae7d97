"""Wrongdoers on `backward()` and `grad()`, made of the engine."""

from __future__ import annotations

from refgrad import accumulate, backward, lane, opnode, walk

from .wrongdoers_kit import Wrongdoer, edited, wrongdoer

BACKWARD: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "scalars-are-0-d",
        "a root has a seed by default only if it has no dimensions",
        edited(backward._one, "any(size != 1 for size in shape)", "shape"),
        breaks="BW-1",
    ),
    wrongdoer(
        "seeds-of-zeros",
        "the default seed of a root of one element that has dimensions is 0",
        edited(backward._one, "seed.fill(1)", "seed.fill(not shape)"),
        breaks="BW-1",
    ),
    wrongdoer(
        "seeds-for-many",
        "a root of several elements is seeded with ones where no vector is given",
        edited(backward._one, "any(size != 1 for size in shape)", "False"),
        breaks="BW-2",
    ),
    wrongdoer(
        "vectors-of-any-shape",
        "a vector need not have its root's shape",
        edited(backward._check_shape, "if shape == wanted:", "if not batched:"),
        breaks="BW-3 GR-11 GR-14",
    ),
    wrongdoer(
        "grad-overwritten",
        "a later pass replaces what .grad holds instead of adding to it",
        edited(
            accumulate.accumulate,
            "np.add(state.grad._array, g, out=state.grad._array)",
            "state.grad._array[...] = g",
        ),
        breaks="RG-14 BW-4 BW-9 BW-10 BW-15 BW-18 AC-3 SH-1",
    ),
    wrongdoer(
        "constants-differentiated",
        "backward on what requires no grad does nothing and does not complain",
        edited(
            backward._roots,
            "if edge is None:\n",
            """
            if edge is None:
                continue
            if False:
            """,
        ),
        breaks="BW-5",
    ),
    wrongdoer(
        "root-counted-once",
        "a root that is named twice counts once",
        edited(walk.run, "total(pending[key], g) if key in pending else g", "g"),
        breaks="BW-6",
    ),
    wrongdoer(
        "vectors-not-counted",
        "roots without a vector are left out where there are too few vectors",
        edited(backward._roots, "if len(made) < len(outputs):", "if False:"),
        breaks="BW-7 GR-14",
    ),
    wrongdoer(
        "never-freed",
        "a pass frees nothing",
        edited(walk._send, "if not task.keep:", "if False:"),
        edited(walk._send_checked, "if not task.keep:", "if False:"),
        edited(lane.take_lane, "if not keep and plan.saves:", "if False:"),
        breaks="BW-8 BW-10 NO-5 CF-7 SH-8 TH-2",
    ),
    wrongdoer(
        "always-freed",
        "a pass makes every node unusable, those that saved nothing too",
        edited(opnode.OpNode.free, "if self.plan.saves:", "if True:"),
        edited(lane.take_lane, "if not keep and plan.saves:", "if not keep:"),
        breaks="BW-9",
    ),
    wrongdoer(
        "retain-graph-ignored",
        "backward frees the graph in spite of retain_graph",
        edited(
            backward.backward,
            "keep = create_graph if retain_graph is None else bool(retain_graph)",
            "keep = create_graph",
        ),
        breaks="BW-10 BW-15 HK-16 SH-1",
    ),
    wrongdoer(
        "create-graph-frees",
        "create_graph by itself frees the graph that the gradients are computed from",
        edited(
            backward.backward,
            "keep = create_graph if retain_graph is None else bool(retain_graph)",
            "keep = bool(retain_graph)",
        ),
        breaks="BW-10 BW-11",
    ),
    wrongdoer(
        "gradients-detached",
        "the first gradient that a leaf receives is cut off its graph, create_graph or not",
        edited(accumulate.store, "state.grad = clone(g)", "state.grad = clone(g).detach()"),
        breaks="BW-11",
    ),
    wrongdoer(
        "cycle-not-warned-of",
        "backward(create_graph=True) does not warn",
        edited(backward.backward, "if create_graph and roots:", "if False:"),
        breaks="BW-12",
    ),
    wrongdoer(
        "inputs-ignored",
        "backward fills all leaves, whatever inputs= says",
        edited(backward.backward, "wanted=edges, capture=False", "capture=False"),
        breaks="BW-13 BW-14 BW-15",
    ),
    wrongdoer(
        "results-not-filled",
        "a result that inputs= names is not filled unless it retains its gradient",
        edited(backward._retained_edge, "place.retain_grad()", "pass"),
        breaks="BW-14",
    ),
    wrongdoer(
        "no-dicts-of-inputs",
        "inputs cannot be given as a dict",
        edited(backward._wanted, "if type(inputs) is dict:", "if False:"),
        breaks="BW-15 GR-6",
    ),
    wrongdoer(
        "no-inputs-at-all",
        "no inputs at all are accepted, and get nothing",
        edited(backward._wanted, "if not wanted:", "if False:"),
        breaks="BW-15 GR-7",
    ),
    wrongdoer(
        "zeros-where-not-reached",
        "what inputs= names and the root does not depend on gets zeros",
        edited(
            backward.backward,
            "run(roots, create_graph",
            """
            for place in wanted or ():
                if isinstance(place, Tensor) and place.state().grad is None:
                    place.state().grad = _zeros(place)
            run(roots, create_graph
            """,
        ),
        breaks="BW-16",
    ),
    wrongdoer(
        "vector-handed-over",
        "the very array that the caller gave as vector becomes .grad, and is added to",
        edited(accumulate.hand_over, "sys.getrefcount(g) <= ALONE", "True"),
        breaks="BW-18",
    ),
    wrongdoer(
        "edges-are-no-roots",
        "a GradientEdge cannot be a root",
        edited(backward._known, "isinstance(out, GradientEdge)", "False"),
        breaks="BW-19",
    ),
    wrongdoer(
        "edges-follow-tensors",
        "the edge of a tensor is the tensor, wherever that is written into",
        edited(backward.get_gradient_edge, "return GradientEdge(*edge)", "return tensor"),
        breaks="GR-13",
    ),
    wrongdoer(
        "grad-fills",
        "grad leaves what it returns in .grad too",
        edited(
            backward.grad,
            "found.append(tuple(caught.get(edge) for edge in edges))",
            """
            found.append(tuple(caught.get(edge) for edge in edges))
            for place, g in zip(wanted, found[-1], strict=True):
                if isinstance(place, Tensor):
                    place.state().grad = _tensor(g)
            """,
        ),
        breaks="GR-1 GR-9",
    ),
    wrongdoer(
        "grad-as-a-list",
        "grad returns a list",
        edited(backward.grad, "else grads", "else list(grads)"),
        breaks="GR-1",
    ),
    wrongdoer(
        "unused-allowed",
        "an input that the outputs do not depend on has None for a gradient, allowed or not",
        edited(backward._check_used, "if g is None:", "if False:"),
        breaks="GR-2",
    ),
    wrongdoer(
        "unused-as-zeros",
        "with allow_unused an input out of reach has zeros",
        edited(backward.grad, "if materialize_grads:", "if materialize_grads or allow_unused:"),
        breaks="GR-3 CF-15 FN-3",
    ),
    wrongdoer(
        "materialize-ignored",
        "materialize_grads leaves None where it should be zeros",
        edited(backward.grad, "if materialize_grads:", "if False:"),
        breaks="GR-4",
    ),
    wrongdoer(
        "contradiction-accepted",
        "materialize_grads=True goes together with allow_unused=False",
        edited(backward.grad, "if materialize_grads and allow_unused is False:", "if False:"),
        breaks="GR-5",
    ),
    wrongdoer(
        "names-dropped",
        "for a dict of inputs grad returns a tuple",
        edited(backward.grad, "if type(inputs) is dict else grads", "if False else grads"),
        breaks="GR-6",
    ),
    wrongdoer(
        "constants-as-inputs",
        "an input that requires no grad counts as one out of reach",
        edited(
            backward._edge,
            'raise RuntimeError("One of the differentiated Tensors does not require grad")',
            "return place, 0",
        ),
        breaks="GR-8",
    ),
    wrongdoer(
        "leaves-alone-as-inputs",
        "grad takes leaves alone for inputs",
        edited(backward._edge, "edge = edge_of(place)", "edge = edge_of(place) if place.is_leaf else None"),
        breaks="BW-14 GR-9 GR-13 HK-10 FN-2 FN-4",
    ),
    wrongdoer(
        "last-requires-grad",
        "what grad returns requires grad without create_graph too",
        edited(backward._tensor, "born(Tensor(g))", "born(Tensor(g)).requires_grad_()"),
        breaks="GR-10 FW-7",
    ),
    wrongdoer(
        "only-inputs-accepted",
        "only_inputs=False is accepted in silence",
        edited(backward.grad, "if not only_inputs:", "if False:"),
        breaks="GR-12",
    ),
    wrongdoer(
        "first-output-alone",
        "grad differentiates the first of several outputs",
        edited(backward.grad, "_several(outputs)", "_several(outputs)[:1]"),
        breaks="GR-14 FW-1",
    ),
    wrongdoer(
        "create-graph-retains",
        "create_graph retains the graph in spite of retain_graph=False",
        edited(
            backward.backward,
            "keep = create_graph if retain_graph is None else bool(retain_graph)",
            "keep = bool(create_graph or retain_graph)",
        ),
        breaks="BW-10",
    ),
    wrongdoer(
        "results-saved-as-constants",
        "a result that its own node has saved is a constant when gradients are differentiated",
        edited(opnode.OpNode._tensor, "return self._output(slot, value)", "return Tensor(value)"),
        breaks="GR-10",
    ),
    wrongdoer(
        "plain-passes-warn",
        "backward warns of a cycle without create_graph too",
        edited(backward.backward, "if create_graph and roots:", "if roots:"),
        breaks="BW-12",
    ),
    wrongdoer(
        "broadcast-kept-in-the-graph",
        "under create_graph gradients are not summed over what was broadcast",
        edited(walk._fit_tensor, "if ct._array.shape != shape:", "if False:"),
        breaks="GR-10",
    ),
)

"""What tells a training from all others: its graph, its values, its code, the versions.

The graph is that of the model's own steps, of training and of testing, as Keras's `fit` traces it:
with gradients, losses, constraints and the update of the weights; what Python code holds, in
closures, attributes or globals, stands in it as constants. What no graph tells has no key.
"""

import ast
import hashlib
import importlib.metadata
import inspect
import os
import re
import sys
import textwrap
from functools import cache

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.cache import FORMAT
from qkit.machine import environment

_PACKAGES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")
_LOOP = ("fit", "evaluate", "compile", "make_train_function", "make_test_function", "reset_metrics")
# What a graph asks of Python, of the disk, of the clock, or keeps in tables.
_OUTSIDE = re.compile(r"Py[Ff]unc|File|Dataset|Restore|Timestamp|NonDet|HandleOp|Table|Reader")
# Attributes that count what was built before, or say how a function runs and not what it does.
_UNTOLD = {
    *("_class", "_gradient_op_type", "_user_specified_name", "api_implements", "config_proto"),
    *("forward_function_name", "backward_function_name", "executor_type", "shared_name"),
}
_SUMS = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "TF_NUM_INTRAOP_THREADS", "TF_XLA_FLAGS")


def training_digest(model, x, y, *told):
    """Return a digest of a compiled model's training, or None where its graph does not tell all."""
    graph = _steps(model, x, y)
    text, held = graph and _graph_text(graph), graph and _held(graph, model)
    if not (text and held):
        return None
    digest = hashlib.sha256(repr((text, told)).encode())
    for place, value in (*held, *(("", value) for value in (*model.get_weights(), x, y))):
        digest.update(f"{place} {value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value))
    return digest.hexdigest()


def key_of(digest, functions):
    """Return the name of a training with such a digest: by what is around it, code and versions."""
    versions = [*map(importlib.metadata.version, _PACKAGES)]
    around = repr((FORMAT, digest, [*map(code, functions)], versions))
    return hashlib.sha256(around.encode()).hexdigest()


def machine():
    """Return what the last bits of sums hang on: the processor, and how TensorFlow may use it."""
    here, config = environment(), tensorflow().config
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = config.threading.get_intra_op_parallelism_threads()
    also = config.threading.get_inter_op_parallelism_threads(), config.optimizer.get_jit()
    devices = [device.name for device in config.get_visible_devices()]
    exact = sys.modules["tensorflow.python.framework.config"].is_op_determinism_enabled()
    told = (here.system, here.cpu, here.vector_instructions, cores, threads, also, devices, exact)
    return str((*told, [os.environ.get(name) for name in _SUMS]))


def code(function):
    """Return a function's source as a tree: without comments, docstrings, layout."""
    return repr(_tree(ast.parse(textwrap.dedent(inspect.getsource(function))).body))


def _tree(node):
    if isinstance(node, list):
        texts = [isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) for n in node]
        return [_tree(n) for n, text in zip(node, texts, strict=True) if not text]
    if isinstance(node, ast.AST):  # what is not there is not told: versions of Python differ
        parts = [(name, _tree(n)) for name, n in ast.iter_fields(node) if n not in (None, [])]
        return [type(node).__name__, *parts]
    return node


def _steps(model, x, y):
    """Return the graph of a model's steps; None where they are not run or not drawn by Keras."""
    tf = tensorflow()
    own = [name for name in _LOOP if not getattr(model, name).__module__.startswith("tf_keras.")]
    spread = tf.distribute.has_strategy(), model.distribute_strategy
    if own or model.run_eagerly or spread != (False, tf.distribute.get_strategy()):
        return None
    drawing = (getattr(layer, "_random_generator", None) for layer in model.submodules)
    if any(getattr(generator, "_seed", None) is not None for generator in drawing):
        return None  # such a layer counts in Python how often it was traced
    autograph, graph = tf.__internal__.autograph, tf.__internal__.FuncGraph("steps")
    with graph.as_default():
        batch = tuple(tf.compat.v1.placeholder(a.dtype, (None, *a.shape[1:])) for a in (x, y))
        for step in (model.train_step, model.test_step):
            given = autograph.tf_convert(step, autograph.control_status_ctx())(batch)
            tf.nest.map_structure(tf.identity, given)  # what is reported stands in the graph too
    return graph


def _graph_text(graph):
    """Return a graph in words, with places for names; None where it reaches outside."""
    graph_def = graph.as_graph_def()
    library = {each.signature.name: each for each in graph_def.library.function}
    nodes = [*graph_def.node, *(node for each in library.values() for node in each.node_def)]
    if any(_OUTSIDE.search(node.op) for node in nodes):
        return None

    @cache
    def function(name):
        each = library[name]
        ends = [each.ret[end.name] for end in each.signature.output_arg]
        return _words(each.node_def, told, each.signature.input_arg, ends, told(each.attr))

    def told(attributes):
        for value in attributes.values():
            for called in (value.func, *value.list.func):
                if called.name:
                    called.name = hashlib.sha256(function(called.name)).hexdigest()
        kept = sorted(attributes.keys() - _UNTOLD)
        return [(name, attributes[name].SerializeToString(deterministic=True)) for name in kept]

    return _words(graph_def.node, told)


def _words(nodes, told, arguments=(), ends=(), about=None):
    """Return nodes in words, each by its place in place of its name."""
    places = {each.name: place for place, each in enumerate((*arguments, *nodes))}

    def placed(name):
        return re.sub(r"[^^:]+", lambda found: str(places[found[0]]), name, count=1)

    lines = [[about, *map(placed, ends)]]
    for node in nodes:
        after = sorted(placed(name) for name in node.input if name[0] == "^")
        inputs = [placed(name) for name in node.input if name[0] != "^"]
        lines.append([node.op, node.device, *inputs, *after, told(node.attr)])
    return repr(lines).encode()


def _held(graph, model):
    """Return pairs of place and value of what a graph holds; None where that is no value.

    Nor may it move variables that are no weights, as generators are: they would be left behind.
    """
    tf, found = tensorflow(), []
    passing = (*model.optimizer.variables, *(v for each in model.metrics for v in each.variables))
    places = {id(variable.handle): "beside" for variable in passing}
    places |= {id(weight.handle): place for place, weight in enumerate(model.weights)}
    for outer, inner in graph.captures:
        place = places.get(id(outer), "beside")
        if outer.dtype == tf.resource:
            moved = {consumer.type for consumer in inner.consumers()} != {"ReadVariableOp"}
            if moved and id(outer) not in places:
                return None
            (kind,) = outer._handle_data.shape_and_type
            outer = tf.raw_ops.ReadVariableOp(resource=outer, dtype=kind.dtype)
        if outer.dtype in (tf.variant, tf.string):
            return None
        found.append((place, outer.numpy()))
    return found

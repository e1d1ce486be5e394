"""A model for other programs: a table of features, and ONNX.

The table (parquet) has a row for each feature: field, value, weight, count; the bias is the first, with an empty field.

The graph (ONNX, opset 20 and ai.onnx.ml 4) of a model of tables takes a tensor of strings [rows, 1] for each column of categories, named
after it, and of floats for each numeric one (NaN: missing); of a model of lines, `ids` (int64 for libsvm, strings for others) [rows, n]
and `values` (float) [rows, n], padded by values of 0. It gives `p` float [rows, 1]. Sums are those of float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from regrow.columns import to_arrow
from regrow.data.clicks import ClickOptions
from regrow.data.clicks.options import named_lists
from regrow.data.clicks.plan import plan_of
from regrow.data.clicks.table_kernels import BETWEEN, CATEGORY, CROSS, NUMERIC
from regrow.errors import UsageError
from regrow.models.logistic.model import ClickModel

__all__ = ["export_onnx", "export_parquet"]


def export_parquet(model: ClickModel, path: Path) -> None:
    """Write the table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, arrays = model.fields, model.arrays
    columns = {
        "field": pa.DictionaryArray.from_arrays(to_arrow(arrays["features.field"]), pa.array(names)).cast(pa.string()),
        "value": pa.array(list(arrays["features.value"])),
        "weight": to_arrow(model.weights),
        "count": to_arrow(arrays["features.count"]),
    }
    try:
        pq.write_table(pa.table(columns), path, compression="zstd")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file: --out FILE") from None


def export_onnx(model: ClickModel, options: ClickOptions, path: Path) -> None:
    """Write the graph. Raises UsageError where onnx is not installed, and for models that it cannot express."""
    try:
        import onnx
    except ImportError:
        raise UsageError("onnx is not installed", "pip install 'regrow[onnx]'") from None
    if options.hash_bits:
        raise UsageError("a model of hashed features", "it has no names to look up: train without --hash-bits")
    graph = _Graph(onnx)
    if options.columns is None:
        _lines(graph, model, options)
    else:
        _table(graph, model, options)
    try:
        onnx.save(graph.model(float(model.weights[0])), path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file: --out FILE") from None


class _Graph:
    """A graph under construction: terms are tensors [rows, 1] that are added up."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.inputs: dict[str, Any] = {}
        self.constants: list[Any] = []
        self.terms: list[str] = []

    def input(self, name: str, kind: int, width: int | str) -> str:
        """An input [rows, width]."""
        self.inputs[name] = self.onnx.helper.make_tensor_value_info(name, kind, ["rows", width])
        return name

    def node(self, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        """A node with one output; its name."""
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, array: Any) -> str:
        """A constant; its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, names: str, keys: list[Any], weights: Any) -> str:
        """The weight of each name, 0 for those that are unknown."""
        kind = "keys_strings" if isinstance(keys[0], str) else "keys_int64s"
        return self.node("LabelEncoder", [names], "ai.onnx.ml", **{kind: keys, "values_floats": weights.tolist(), "default_float": 0.0})

    def model(self, bias: float) -> Any:
        """The model: the sum of all terms and the bias through a sigmoid."""
        helper = self.onnx.helper
        total = self.node("Sum", [*self.terms, self.constant(np.array([[bias]], np.float32))])
        self.nodes.append(helper.make_node("Sigmoid", [total], ["p"]))
        output = helper.make_tensor_value_info("p", self.onnx.TensorProto.FLOAT, ["rows", 1])
        graph = helper.make_graph(self.nodes, "clicks", list(self.inputs.values()), [output], self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="regrow")


def _table(graph: _Graph, model: ClickModel, options: ClickOptions) -> None:
    strings, floats = graph.onnx.TensorProto.STRING, graph.onnx.TensorProto.FLOAT
    columns = list(options.columns or ())
    plan, _ = plan_of("the model", columns, options, needs_label=False)
    separator = graph.constant(np.array([[chr(BETWEEN)]], object)) if named_lists("--cross", options.cross) or options.backoff else ""
    for item in plan.items:
        mine = np.flatnonzero(np.asarray(model.arrays["features.field"]) == model.fields.index(item.name))
        keys, weights = [model.arrays["features.value"][i] for i in mine.tolist()], model.weights[mine]
        column = columns[item.parts[0]]
        if item.what == NUMERIC:
            x = graph.input(column, floats, 1)
            by = dict(zip(keys, weights.tolist(), strict=True))
            size = graph.node("Log", [graph.node("Add", [graph.node("Abs", [x]), graph.constant(np.array([[1]], np.float32))])])
            size = graph.node("Mul", [graph.node("Sign", [x]), size])
            given = graph.node("Mul", [size, graph.constant(np.array([[by.get("#", 0.0)]], np.float32))])
            missing = graph.constant(np.array([[by.get("", 0.0)]], np.float32))
            graph.terms.append(graph.node("Where", [graph.node("IsNaN", [x]), missing, given]))
        elif item.what in (CATEGORY, CROSS):
            names = graph.input(column, strings, 1)
            for part in item.parts[1:]:
                names = graph.node("StringConcat", [names, separator])
                names = graph.node("StringConcat", [names, graph.input(columns[part], strings, 1)])
            graph.terms.append(graph.weights(names, keys, weights))
        else:
            raise UsageError(f"the column {column} has several values, or falls into bins", "ONNX graphs are made of other models only")


def _lines(graph: _Graph, model: ClickModel, options: ClickOptions) -> None:
    if options.format != "libsvm":
        raise UsageError(f"a model of {options.format}", "ONNX graphs are made of models of tables and of libsvm")
    ids = graph.input("ids", graph.onnx.TensorProto.INT64, "n")
    values = graph.input("values", graph.onnx.TensorProto.FLOAT, "n")
    keys = [int(value) for value in list(model.arrays["features.value"])[1:]]
    terms = graph.node("Mul", [graph.weights(ids, keys, model.weights[1:]), values])
    graph.terms.append(graph.node("ReduceSum", [terms, graph.constant(np.array([1], np.int64))], keepdims=1))

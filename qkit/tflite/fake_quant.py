"""Operators that put a tensor on a grid, between those of a .tflite file."""


def insert_grids(model, activations):
    """Put a FAKE_QUANT behind each tensor of these numbers; whatever read it reads the copy."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FAKE_QUANT
    code.version = 2  # the first that knows a narrow range
    model.operatorCodes.append(code)
    on_grid, operators = {}, []

    def put_on_grid(index):
        if index in activations:
            operator, copy = _fake_quant(graph.tensors[index], activations[index])
            graph.tensors.append(copy)
            on_grid[index] = len(graph.tensors) - 1
            operator.opcodeIndex = len(model.operatorCodes) - 1
            operator.inputs, operator.outputs = [index], [on_grid[index]]
            operators.append(operator)

    for index in graph.inputs:
        put_on_grid(index)
    for operator in graph.operators:
        operator.inputs = [on_grid.get(i, i) for i in operator.inputs]
        operators.append(operator)
        for index in operator.outputs:
            put_on_grid(index)
    graph.operators = operators
    graph.outputs = [on_grid.get(i, i) for i in graph.outputs]
    for signature in model.signatureDefs or ():
        for output in signature.outputs:
            output.tensorIndex = on_grid.get(output.tensorIndex, output.tensorIndex)


def _fake_quant(tensor, qparams):
    """Return an operator that puts a tensor on a grid, and the tensor that it writes."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.FakeQuantOptionsT()
    # the operator runs with the full range only: a symmetric grid gets one more step below 0
    below = 2**qparams.bits - 1 - qparams.qmax + qparams.zero_point[0]
    options.min = -float(below * qparams.scale[0])
    options.max, options.numBits = float(qparams.high[0]), qparams.bits
    operator = schema.OperatorT()
    operator.builtinOptionsType = schema.BuiltinOptions.FakeQuantOptions
    operator.builtinOptions = options
    copy = schema.TensorT()
    copy.shape, copy.shapeSignature = tensor.shape, tensor.shapeSignature
    copy.type, copy.buffer, copy.name = tensor.type, 0, tensor.name + b" on its grid"
    return operator, copy

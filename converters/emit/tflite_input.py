"""The conversion of uint8 camera bytes to int8 at the start of a quantized .tflite.

TensorFlow's converter writes one QUANTIZE from uint8 to int8 (the same values minus 128). XNNPACK
does not take that operator, and LiteRT's own kernel moves one byte at a time: 0.75 ms of 7.4 ms at
640x640 on x86-64. DEQUANTIZE to float and QUANTIZE to int8 give the same integers, and XNNPACK
takes both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FLOAT_IMAGES = "images_float"


def convert_through_float(schema: Any, model: Any) -> None:
    """Replace the QUANTIZE from uint8 to int8 that reads the input, if there is one."""
    (subgraph,) = model.subgraphs
    image = int(subgraph.inputs[0])
    reading = (one for one in subgraph.operators if _takes_bytes(schema, model, one, image))
    operator = next(reading, None)
    if operator is None:
        return
    source, (converted,) = subgraph.tensors[image], operator.outputs
    floats = schema.TensorT()
    floats.shape, floats.name = source.shape, FLOAT_IMAGES
    floats.type, floats.buffer = schema.TensorType.FLOAT32, 0
    subgraph.tensors.append(floats)
    step = np.asarray([len(subgraph.tensors) - 1], np.int32)
    dequantize, quantize = schema.OperatorT(), schema.OperatorT()
    dequantize.opcodeIndex = _dequantize(schema, model)
    dequantize.inputs, dequantize.outputs = np.asarray([image], np.int32), step
    quantize.opcodeIndex = operator.opcodeIndex
    quantize.inputs, quantize.outputs = step, np.asarray([converted], np.int32)
    position = subgraph.operators.index(operator)
    subgraph.operators[position : position + 1] = [dequantize, quantize]


def _takes_bytes(schema: Any, model: Any, operator: Any, image: int) -> bool:
    """Whether the operator is a QUANTIZE from the uint8 input to int8 of the same step."""
    tensors = model.subgraphs[0].tensors
    code = model.operatorCodes[operator.opcodeIndex]
    if code.builtinCode != schema.BuiltinOperator.QUANTIZE or list(operator.inputs) != [image]:
        return False
    source, target = tensors[image], tensors[int(operator.outputs[0])]
    types = (source.type, target.type)
    if types != (schema.TensorType.UINT8, schema.TensorType.INT8):
        return False
    # Another step would be rounded twice.
    return bool(np.array_equal(source.quantization.scale, target.quantization.scale))


def _dequantize(schema: Any, model: Any) -> int:
    """The number of the operator code, which is added."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 2  # the first that reads int8 and uint8 alike
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1

"""Away from here: pictures and data of one's own, ONNX, the model card. No stage imports it."""

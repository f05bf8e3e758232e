"""The model away from here: one's own pictures, ONNX, the model card."""

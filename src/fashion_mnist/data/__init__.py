"""From the files of the data set to normalised tensors."""

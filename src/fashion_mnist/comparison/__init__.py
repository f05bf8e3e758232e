"""Whether one revision's results differ from another's, and by how much. No stage imports it."""
